"""Unified Procedure Steps: work that is scheduled, claimed, performed and watched (PS3.4 CC, PS3.18 11)."""
