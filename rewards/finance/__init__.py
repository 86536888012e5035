"""What finance asks for: what is owed, what expired, what each store leaves."""
