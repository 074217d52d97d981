"""Rows and bytes: what core's ports ask for, kept."""
