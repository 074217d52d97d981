"""Studies, series, instances: what was stored, what can be found, what is committed to."""
