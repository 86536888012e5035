"""What members earned, hold and spent: purchases, the program, the ledger."""
