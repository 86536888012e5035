"""Button's wire formats. Its field names stop here."""
