"""Processes that work on pixels, so that a codec that breaks takes nothing with it (ADR 25)."""
