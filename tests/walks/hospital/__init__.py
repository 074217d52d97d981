"""A hospital around a running server: outside clients and peers, none of them made of Hilum's own code."""
