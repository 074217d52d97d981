"""MSH-18 to codecs: HL7 table 0211, and what senders write instead of it (HL7 2.5.1, 2.15.9.18)."""

import re
from dataclasses import dataclass
from functools import lru_cache

from hilum.wire.hl7v2.errors import Condition, MessageInvalid

# Tried in this order where MSH-18 is empty or says ASCII; ISO 8859-1 reads any byte and ends the chain.
UNDECLARED = ("utf-8", "cp1252", "iso8859_1")

# Keys are written without spaces, dashes, slashes and underscores: senders disagree about those.
_CODECS = {
    "": UNDECLARED,
    "ASCII": UNDECLARED,
    "USASCII": UNDECLARED,
    "ISOIR6": UNDECLARED,
    "UNICODE": ("utf-8",),
    "UNICODEUTF8": ("utf-8",),
    "UTF8": ("utf-8",),
    "ISOIR192": ("utf-8",),
    "CP1252": ("cp1252", "iso8859_1"),
    "WINDOWS1252": ("cp1252", "iso8859_1"),
    **{f"8859{part}": (f"iso8859_{part}",) for part in range(1, 17) if part != 12},
    **{f"ISO8859{part}": (f"iso8859_{part}",) for part in range(1, 17) if part != 12},
    "ISOIR100": ("iso8859_1",),
    "ISOIR101": ("iso8859_2",),
    "ISOIR109": ("iso8859_3",),
    "ISOIR110": ("iso8859_4",),
    "ISOIR144": ("iso8859_5",),
    "ISOIR127": ("iso8859_6",),
    "ISOIR126": ("iso8859_7",),
    "ISOIR138": ("iso8859_8",),
    "ISOIR148": ("iso8859_9",),
    "ISOIR166": ("tis_620",),
    "ISOIR13": ("iso2022_jp_ext",),
    "ISOIR14": ("iso2022_jp_ext",),
    "ISOIR87": ("iso2022_jp_ext",),
    "ISOIR159": ("iso2022_jp_ext",),
    "ISOIR149": ("euc_kr",),
    "KSX1001": ("euc_kr",),
    "ISOIR58": ("gb2312",),
    "GB18030": ("gb18030",),
    "GB180302000": ("gb18030",),
    "BIG5": ("big5",),
}

# In these a byte of a character can look like a delimiter: such segments are read after decoding.
_OPAQUE = frozenset({"iso2022_jp_ext", "gb18030", "big5"})
_SEPARATORS = re.compile(r"[\s_/-]")


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """The codecs to try for a message, and whether its bytes may be split before decoding."""

    codecs: tuple[str, ...]
    opaque: bool = False


@lru_cache(maxsize=256)
def character_set(declared: tuple[str, ...]) -> CharacterSet:
    """Find the codecs for the repetitions of MSH-18; the first is the default, others extend it."""
    known = [_codecs(name) for name in declared] or [UNDECLARED]
    for codecs in known:
        if codecs[0] in _OPAQUE:
            return CharacterSet(codecs, opaque=True)
    extending = [codecs for codecs in known if codecs is not UNDECLARED]
    return CharacterSet(extending[0] if extending else UNDECLARED)


def _codecs(name: str) -> tuple[str, ...]:
    codecs = _CODECS.get(_SEPARATORS.sub("", name).upper())
    if codecs is None:
        raise MessageInvalid(
            f"MSH-18 names the character set {name[:40]!r}, which is unknown here",
            location="MSH^1^18",
            condition=Condition.TABLE_VALUE_NOT_FOUND,
            next_step="send a name of HL7 table 0211, best `UNICODE UTF-8`",
        )
    return codecs


def decodable_by(character_set_of_message: CharacterSet, content: bytes) -> str:
    """Choose the first codec that reads all of the content."""
    for codec in character_set_of_message.codecs:
        try:
            content.decode(codec)
        except UnicodeDecodeError:
            continue
        return codec
    raise MessageInvalid(
        f"the message is not in the character set that MSH-18 declares ({character_set_of_message.codecs[0]})",
        location="MSH^1^18",
        condition=Condition.DATA_TYPE,
        next_step="declare in MSH-18 what is sent",
    )
