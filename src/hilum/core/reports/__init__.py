"""Reports: versions of what a reader said of a study."""
