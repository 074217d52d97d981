"""Text to bytes in a declared character set, and never a byte that would read back as something else."""

from collections.abc import Iterable
from functools import lru_cache

from pydicom.charset import convert_encodings, encode_string, python_encoding
from pydicom.valuerep import PersonName

from hilum.wire.dicom.character_sets import CharacterSet, codec_of

_REPERTOIRE_6 = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})
# What Python's codec writes beyond the one byte a character that JIS X 0201 has.
_SINGLE_BYTE = frozenset({"shift_jis"})


def encodes_all(texts: Iterable[str], terms: tuple[str, ...]) -> bool:
    """Say whether every text can be written in a character set."""
    return all(encoded_text(text, terms) is not None for text in texts)


def encoded_text(text: str, terms: tuple[str, ...], *, name: bool = False) -> bytes | None:
    """Return the text in the character set of (0008,0005), unpadded; None where the set does not hold it.

    What was written is read back: only text that survives is returned (PS3.5 6.1.2.5).
    """
    if text.isascii() and "\x1b" not in text:
        return text.encode("ascii")
    if not all(term in python_encoding for term in terms) or not _held(text, terms):
        return None
    written = _written(text, terms, name=name)
    return written if CharacterSet(terms).decode(written, name=name) == text else None


def _written(text: str, terms: tuple[str, ...], *, name: bool) -> bytes:
    if len(terms) == 1:
        return text.encode(codec_of(terms[0]))
    encodings = convert_encodings(list(terms))
    if name:
        return b"\\".join(PersonName(one).encode(encodings) for one in text.split("\\"))
    return b"\\".join(encode_string(one, encodings) for one in text.split("\\"))


def _held(text: str, terms: tuple[str, ...]) -> bool:
    codecs = tuple("ascii" if term in _REPERTOIRE_6 else codec_of(term) for term in terms)
    return all(_character_held(character, codecs) for character in set(text))


@lru_cache(maxsize=4096)
def _character_held(character: str, codecs: tuple[str, ...]) -> bool:
    return any(_in_codec(character, codec) for codec in codecs)


def _in_codec(character: str, codec: str) -> bool:
    try:
        written = character.encode(codec)
    except UnicodeEncodeError:
        return False
    return len(written) == 1 or codec not in _SINGLE_BYTE
