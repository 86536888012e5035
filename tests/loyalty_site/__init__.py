"""Tests of settings, start-up and what runs the server."""
