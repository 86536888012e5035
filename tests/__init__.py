"""The suite, which runs on SQLite and on PostgreSQL: `make test`."""
