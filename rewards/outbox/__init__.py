"""Everything that leaves the database: written with its cause, sent by workers."""
