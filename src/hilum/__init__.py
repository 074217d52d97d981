"""Hilum: one gate for the imaging data of a hospital."""

__version__ = "0.1.0"
