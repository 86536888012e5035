"""How ingestion fares: conditions that raise alarms, and the figures staff look at."""
