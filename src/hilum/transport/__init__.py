"""Sockets that doors and couriers share: one peer at the other end, exact reads, bounded waits (ADR 18)."""
