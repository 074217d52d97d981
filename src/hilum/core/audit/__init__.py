"""Who did what: one entry in the same transaction as what it describes."""
