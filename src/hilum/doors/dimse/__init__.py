"""DIMSE in: one port, all services."""
