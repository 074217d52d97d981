"""The JSON API: what the console shows, for scripts."""
