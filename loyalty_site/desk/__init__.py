"""The staff's desk: what waits for a person, and one box that finds everything."""
