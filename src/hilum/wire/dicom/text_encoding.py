"""Text to bytes in a declared character set, and never a byte that would read back as something else."""

from collections.abc import Iterable
from functools import lru_cache

from hilum.wire.dicom.character_sets import DESIGNATIONS, CharacterSet, codec_of

_REPERTOIRE_6 = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})
# What Python's codec writes beyond the one byte a character that JIS X 0201 has.
_SINGLE_BYTE = frozenset({"shift_jis"})
_DOUBLE_BYTE_CODECS = frozenset({"iso2022_jp", "iso2022_jp_2"})
_TWO_OCTETS = frozenset({"euc_kr", "gb2312"})
_G0, _G1 = 0, 1
_ASCII, _ROMAN = b"\x1b(B", b"\x1b(J"
_DELIMITERS = frozenset("\\\r\n\f\t")
_NAME_DELIMITERS = _DELIMITERS | frozenset("^=")


def encodes_all(texts: Iterable[str], terms: tuple[str, ...]) -> bool:
    """Say whether every text can be written in a character set."""
    return all(encoded_text(text, terms) is not None for text in texts)


def encoded_text(text: str, terms: tuple[str, ...], *, name: bool = False) -> bytes | None:
    """Return the text in the character set of (0008,0005), unpadded; None where the set does not hold it.

    What was written is read back: only text that survives is returned (PS3.5 6.1.2.5).
    """
    if text.isascii() and "\x1b" not in text:
        return text.encode("ascii")
    codecs = tuple("ascii" if term in _REPERTOIRE_6 else codec_of(term) for term in terms)
    if not codecs or not all(codecs):
        return None
    written = _plain(text, codecs[0]) if len(terms) == 1 else _extended(text, codecs, name=name)
    if written is None or CharacterSet(terms).decode(written, name=name) != text:
        return None
    return written


def _plain(text: str, codec: str) -> bytes | None:
    """Encode by a set without code extensions."""
    try:
        written = text.encode(codec)
    except UnicodeEncodeError:
        return None
    return written if codec not in _SINGLE_BYTE or len(written) == len(text) else None


def _extended(text: str, codecs: tuple[str, ...], *, name: bool) -> bytes | None:
    """Encode with code extensions: each character by what is designated, else by the first set that holds it.

    At a delimiter and at the end the sets of value 1 are in force again (PS3.5 6.1.2.5.3).
    """
    delimiters = _NAME_DELIMITERS if name else _DELIMITERS
    initial = codecs[0]
    halves, written = [initial, initial], bytearray()
    for character in text:
        if character.isascii():
            written += _back(halves, initial) + character.encode("ascii")
            if character in delimiters:
                halves[:] = [initial, initial]
            continue
        found = _chosen(character, halves, codecs)
        if found is None:
            return None
        codec, octets = found
        half, escape = DESIGNATIONS.get(codec, (_G1, b""))
        if half == _G1 and halves[_G0] in _DOUBLE_BYTE_CODECS:  # some readers take all that follows for pairs
            written += _back(halves, initial)
        if halves[half] != codec:
            halves[half] = codec
            written += escape
        written += octets
    return bytes(written + _back(halves, initial))


def _back(halves: list[str], initial: str) -> bytes:
    """Return what designates the first set to the left half again, where something else stands there."""
    if halves[_G0] == initial:
        return b""
    halves[_G0] = initial
    return _ROMAN if initial == "shift_jis" else _ASCII


def _chosen(character: str, halves: list[str], codecs: tuple[str, ...]) -> tuple[str, bytes] | None:
    for codec in dict.fromkeys((*halves, *codecs)):
        octets = _character(character, codec)
        if octets is not None:
            return codec, octets
    return None


@lru_cache(maxsize=8192)
def _character(character: str, codec: str) -> bytes | None:
    """Return one character without its escape sequences; None where the set does not hold it."""
    try:
        written = character.encode(codec)
    except UnicodeEncodeError:
        return None
    _, escape = DESIGNATIONS.get(codec, (_G1, b""))
    if codec in _DOUBLE_BYTE_CODECS:
        held = written.startswith(escape)
        return written.removeprefix(escape).removesuffix(_ASCII) if held else None
    return written if len(written) == (2 if codec in _TWO_OCTETS else 1) else None
