"""What a peer's configuration may say beyond where it is and what it may do.

One value, carried by every `Caller` that is a peer: a capability that needs one more answer adds a field here and reads
`caller.options`; store, command line, console and reference follow from the field.
"""
# `option` returns a dataclass field

import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from types import MappingProxyType
from typing import Any, TypeVar

from hilum.core.kernel.choices import DuplicatePolicy, View
from hilum.core.kernel.errors import Invalid

T = TypeVar("T")

_UID = re.compile(r"[0-9.]{1,64}")
_PLACE = re.compile(r"[A-Za-z0-9._:/-]{1,253}")
_TERMS = re.compile(r"[A-Za-z0-9_ \\\\-]{1,128}")
_LONGEST = 1024
_MOST = 128
_TRUTH = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def option(
    default: T,
    sentence: str,
    *,
    least: int | None = None,
    choices: tuple[str, ...] = (),
    pattern: re.Pattern[str] | None = None,
) -> T:
    """Declare one option. The result is a dataclass field; the type is that of its default.

    `least` bounds a number; `choices` and `pattern` hold for a text, or for each member of a list.
    """
    metadata = {"sentence": sentence, "least": least, "choices": choices, "pattern": pattern}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """What holds for one peer only; a default means that nothing was said."""

    addresses: tuple[str, ...] = option(
        (),
        "More host names, addresses or CIDR ranges that it may call from, beside its host.",
        pattern=_PLACE,
    )
    sending_application: str = option("", "MSH-3.1 of its messages, where several peers share an address.")
    sending_facility: str = option("", "MSH-4.1 of its messages, where several peers share an address.")
    permissions: tuple[str, ...] = option((), "Permissions, in place of those of its roles.")
    transfer_syntaxes: tuple[str, ...] = option(
        (),
        "UIDs of transfer syntaxes that it may store in, best first; empty: any, in its own order.",
        pattern=_UID,
    )
    sent_in: tuple[str, ...] = option(
        (),
        "UIDs of transfer syntaxes without loss that objects are sent to it in, best first; empty: as they are stored.",
        pattern=_UID,
    )
    sop_classes: tuple[str, ...] = option(
        (), "UIDs of SOP classes that are agreed on with it; empty: all that are served.", pattern=_UID
    )
    maximum_pdu_length: int = option(
        0, "Longest P-DATA-TF that we announce to it, in octets; 0: that of the server.", least=0
    )
    maximum_associations: int = option(
        0, "Associations that it may hold at once; 0: no bound of its own.", least=0
    )
    commitment: bool = option(
        False,
        "Ask for storage commitment of what is sent to it by DIMSE; a delivery is settled when it reports success, and what "
        "it reports as failed is sent again.",
    )
    maximum_arriving: int = option(
        0,
        "Octets that may be on their way in from it at once, before it is put off; 0: no bound of its own.",
        least=0,
    )
    view: str = option(
        View.REGULAR.value,
        "What it sees of rejected instances: none, those of quality reasons, or all with their notes (IHE IOCM).",
        choices=tuple(View),
    )
    tls: bool = option(False, "Speak TLS with it: we call it so, and it is admitted only so.")
    certificate: str = option(
        "",
        "Certificate that it must show: its SHA-256 fingerprint, or its common name or an alternative name.",
    )
    user_identity: str = option(
        "",
        "User identity in its associations (PS3.7 D.3.3.7): checked where it is given, required, or ignored.",
        choices=("", "required", "ignored"),
    )
    duplicates: str = option(
        DuplicatePolicy.KEEP_BOTH.value,
        "What becomes of a SOP Instance UID that it sends again with other bytes: keep-both sets them aside and "
        "answers 0111, quarantine sets them aside and answers success, ignore lets them go, replace puts them in use.",
        choices=tuple(DuplicatePolicy),
    )
    character_set: str = option(
        "",
        "Specific Character Set that it really writes, where its objects and queries say another one: defined terms, "
        "several with backslashes.",
        pattern=_TERMS,
    )
    assumed_character_set: str = option(
        "", "Specific Character Set of its objects and queries that declare none.", pattern=_TERMS
    )


NO_OPTIONS = PeerOptions()

OPTIONS: Mapping[str, "Field[Any]"] = MappingProxyType({one.name: one for one in fields(PeerOptions)})
"""Every option by its name."""


def said(options: PeerOptions) -> dict[str, Any]:
    """Return the options that are not at their default, as values that JSON can hold."""
    values = {name: getattr(options, name) for name in OPTIONS}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value != OPTIONS[name].default
    }


def options_of(values: Mapping[str, object]) -> PeerOptions:
    """Return the options that names and values say: as JSON holds them, or as text. Raises Invalid."""
    unknown = sorted(set(values) - set(OPTIONS))
    if unknown:
        raise Invalid(
            f"no such option of a peer: {', '.join(unknown)}"[:200],
            next_step=f"choose of: {', '.join(OPTIONS)}",
        )
    return PeerOptions(**{name: _value(OPTIONS[name], given) for name, given in values.items()})


def text_of(value: object) -> str:
    """Return an option as a person writes it: members with commas, yes or no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple | list) else str(value)


def _value(one: "Field[Any]", given: object) -> Any:  # noqa: ANN401  # of the field's type
    try:
        value = _READERS[type(one.default)](given)
    except (ValueError, TypeError, KeyError) as error:
        raise _unfit(one) from error
    members = value if isinstance(value, tuple) else (value,)
    if len(members) > _MOST or not all(_fits(one, member) for member in members):
        raise _unfit(one)
    return value


def _fits(one: "Field[Any]", member: object) -> bool:
    least, choices, pattern = (one.metadata[name] for name in ("least", "choices", "pattern"))
    if isinstance(member, int):
        return least is None or member >= least
    text = str(member)
    return (
        len(text) <= _LONGEST
        and text.isprintable()
        and (not choices or text in choices)
        and (pattern is None or not text or pattern.fullmatch(text) is not None)
    )


def _unfit(one: "Field[Any]") -> Invalid:
    choices = f"; choose of: {', '.join(one.metadata['choices'])}" if one.metadata["choices"] else ""
    return Invalid(f"the option '{one.name}' does not fit", next_step=one.metadata["sentence"] + choices)


def _text(given: object) -> str:
    if not isinstance(given, str):
        raise TypeError
    return given.strip()


def _flag(given: object) -> bool:
    return given if isinstance(given, bool) else _TRUTH[_text(given).lower()]


def _number(given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    return int(_text(given)[:18])


def _texts(given: object) -> tuple[str, ...]:
    members = _text(given).split(",") if isinstance(given, str) else given
    if not isinstance(members, list | tuple):
        raise TypeError
    return tuple(filter(None, map(_text, members)))


_READERS: Mapping[type, Callable[[object], object]] = MappingProxyType(
    {str: _text, bool: _flag, int: _number, tuple: _texts}
)
