"""Out: say one thing to one peer and return what it answered."""
