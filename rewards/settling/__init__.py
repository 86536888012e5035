"""The one path that settles: from reports and decisions to awards and postings."""
