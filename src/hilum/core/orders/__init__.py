"""Orders, requested procedures, scheduled and performed procedure steps."""
