"""Messages as they came: kept whole, recognised when repeated, applied once."""
