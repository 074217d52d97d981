"""Specific Character Set (0008,0005): bytes to text, with code extensions (PS3.3 C.12.1.1.2; PS3.5 6.1.2.5)."""

import re
from types import MappingProxyType

UTF_8_TERM = "ISO_IR 192"

# Tables C.12-2 to C.12-5: the number of the registration -> the codec of Python, ASCII in its lower half.
_CODECS = MappingProxyType(
    {
        "6": "ascii",
        "100": "latin_1",
        "101": "iso8859_2",
        "109": "iso8859_3",
        "110": "iso8859_4",
        "144": "iso8859_5",
        "127": "iso8859_6",
        "126": "iso8859_7",
        "138": "iso8859_8",
        "148": "iso8859_9",
        "203": "iso8859_15",
        "13": "shift_jis",  # JIS X 0201 is its single-byte half
        "166": "tis_620",
        "87": "iso2022_jp",
        "159": "iso2022_jp_2",
        "149": "euc_kr",
        "58": "gb2312",
        "192": "utf_8",
    }
)
_NAMED = MappingProxyType({"GB18030": "gb18030", "GBK": "gbk", "UTF8": "utf_8"})

# Escape sequences of Tables C.12-3 and C.12-4: -> (which half they designate, codec).
_G0, _G1 = 0, 1
_ESCAPES = MappingProxyType(
    {
        b"(B": (_G0, "ascii"),
        b"(J": (_G0, "shift_jis"),
        b"$B": (_G0, "iso2022_jp"),
        b"$@": (_G0, "iso2022_jp"),
        b"$(D": (_G0, "iso2022_jp_2"),
        b")I": (_G1, "shift_jis"),
        b"-A": (_G1, "latin_1"),
        b"-B": (_G1, "iso8859_2"),
        b"-C": (_G1, "iso8859_3"),
        b"-D": (_G1, "iso8859_4"),
        b"-L": (_G1, "iso8859_5"),
        b"-G": (_G1, "iso8859_6"),
        b"-F": (_G1, "iso8859_7"),
        b"-H": (_G1, "iso8859_8"),
        b"-M": (_G1, "iso8859_9"),
        b"-b": (_G1, "iso8859_15"),
        b"-T": (_G1, "tis_620"),
        b"$)C": (_G1, "euc_kr"),
        b"$)A": (_G1, "gb2312"),
    }
)
_READ_ONLY = frozenset({b"(J", b"$@"})
"""The Roman set of JIS X 0201 and the JIS of 1978: what we write is designated otherwise."""
DESIGNATIONS = MappingProxyType(
    {
        codec: (half, b"\x1b" + escape)
        for escape, (half, codec) in _ESCAPES.items()
        if escape not in _READ_ONLY
    }
)
"""Codec -> which half it is designated to, and by which escape sequence."""
_DOUBLE_BYTE = MappingProxyType({"iso2022_jp": b"\x1b$B", "iso2022_jp_2": b"\x1b$(D"})
_ESCAPE = re.compile(rb"\x1b(\([BJ]|\)I|-[A-Za-z]|\$\([D]|\$\)[AC]|\$[@B])")
# PS3.5 6.1.2.5.3: at these, the character sets of value 1 are in force again.
_DELIMITERS = re.compile(rb"([\\\r\n\f\t])")
_NAME_DELIMITERS = re.compile(rb"([\\\r\n\f\t^=])")


class CharacterSet:
    """The character sets of one data set; decoding never fails, what cannot be read becomes U+FFFD."""

    __slots__ = ("_codec", "_extended", "terms")

    def __init__(self, terms: tuple[str, ...] = ()) -> None:
        self.terms = terms
        self._codec = codec_of(terms[0]) if terms else ""
        # With GB18030, GBK and UTF-8 no code extensions exist, and ESC is only a control character.
        self._extended = self._codec not in {"utf_8", "gb18030", "gbk"}

    def decode(self, value: bytes, *, name: bool = False) -> str:
        """Return the text; `name` for VR PN, where `^` and `=` end a code extension too."""
        if self._extended and b"\x1b" in value:
            return self._decode_extended(value, _NAME_DELIMITERS if name else _DELIMITERS)
        if value.isascii():
            return value.decode("ascii")
        if self._codec and self._codec != "ascii":
            return value.decode(self._codec, "replace")
        return _decode_undeclared(value)

    def _decode_extended(self, value: bytes, delimiters: re.Pattern[bytes]) -> str:
        """Decode run by run: each escape sequence changes one half, each delimiter sets both back."""
        initial = self._codec or "ascii"
        halves = [initial, initial]
        text: list[str] = []
        runs = _ESCAPE.split(value)
        text.append(_decode_run(runs[0], halves, initial, delimiters))
        for escape, run in zip(runs[1::2], runs[2::2], strict=True):
            half, codec = _ESCAPES.get(escape, (_G1, initial))
            halves[half] = codec
            text.append(_decode_run(run, halves, initial, delimiters))
        return "".join(text)


def _decode_run(run: bytes, halves: list[str], initial: str, delimiters: re.Pattern[bytes]) -> str:
    """Decode bytes between two escape sequences; `halves` are set back behind a delimiter."""
    double_byte = _DOUBLE_BYTE.get(halves[_G0])
    if double_byte is not None:
        # No delimiter can stand in a double-byte run: its codes would be halves of characters.
        return (double_byte + run).decode(halves[_G0], "replace")
    text: list[str] = []
    for piece in delimiters.split(run):
        if piece and delimiters.fullmatch(piece):
            halves[:] = [initial, initial]
        codec = halves[_G1] if not piece.isascii() else halves[_G0]
        text.append(piece.decode(codec, "replace"))
    return "".join(text)


def _decode_undeclared(value: bytes) -> str:
    """Decode bytes beyond ASCII that no character set announces: UTF-8 if they are, else Latin-1."""
    try:
        return value.decode("utf_8")
    except UnicodeDecodeError:
        return value.decode("latin_1")


def codec_of(term: str) -> str:
    """Return Python's codec for a defined term, also in the spellings seen in the field; empty if unknown."""
    plain = re.sub(r"[^A-Z0-9]", "", term.upper())
    named = _NAMED.get(plain.removeprefix("ISO2022"))
    if named is not None:
        return named
    number = re.fullmatch(r"ISO(?:2022)?(?:IR)?0*(\d{1,3})", plain)
    return _CODECS.get(number[1], "") if number else ""


def character_set_of(value: bytes) -> CharacterSet:
    """Return the character sets that the value of (0008,0005) names."""
    terms = tuple(term.strip(" \0") for term in value.decode("ascii", "replace").split("\\"))
    if not any(terms):
        return UNDECLARED
    return CharacterSet(terms)


UNDECLARED = CharacterSet()
