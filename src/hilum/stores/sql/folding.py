"""Text folded for comparison without regard to case: the one place that decides it."""

import unicodedata


def folded(text: str) -> str:
    """Return text as it is compared: composed (NFC) and case-folded."""
    return unicodedata.normalize("NFC", text).casefold()


def folded_name(name: str) -> str:
    """Return a PN as it is compared: each component group without its empty tail (PS3.5 6.2.1.1)."""
    return "=".join(group.rstrip("^ ") for group in folded(name).split("=")).rstrip("=")


def name_words(name: str) -> str:
    """Return the words of all name parts, each after a space: ` word%` then matches from the start of any part."""
    return _spaced(folded(name).replace("=", " ").replace("^", " "))


def family_words(name: str) -> str:
    """Return the words of the family names of all component groups."""
    return _spaced(" ".join(group.split("^")[0] for group in folded(name).split("=")))


def given_words(name: str) -> str:
    """Return the words of the given and middle names of all component groups."""
    return _spaced(" ".join(" ".join(group.split("^")[1:3]) for group in folded(name).split("=")))


def _spaced(text: str) -> str:
    return "".join(f" {word}" for word in text.replace(",", " ").split())
