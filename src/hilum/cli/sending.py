"""Commands that speak with one peer at once, without the queue."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli.frame import Exit, printable, tell
from hilum.cli.options import Config, Data, Database, Json, Objects, hub_of, operator, settings_of
from hilum.cli.output import show_table
from hilum.core.access.model import Peer
from hilum.core.kernel.errors import Invalid
from hilum.settings import Settings

if TYPE_CHECKING:
    from hilum.core.routing.model import Receipt

_COLUMNS = ("peer", "kind", "answer", "said", "milliseconds")
_SILENCE = ("connection", "association", "tls")
"""Codes of receipts that no peer wrote."""

PeerName = Annotated[str, typer.Argument(metavar="PEER", help="Name of a configured peer.")]


def echo(
    name: PeerName,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> int:
    """Ask one peer whether it is there: C-ECHO, a TCP connection, or a GET."""
    settings = settings_of(data, config, database, objects)
    return _probed([hub_of(settings).peer(operator(), name)], settings, as_json=as_json)


def probe_peers(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Peers to test. [default: all]")
    ] = None,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> int:
    """Ask peers whether they are there."""
    settings = settings_of(data, config, database, objects)
    hub, caller = hub_of(settings), operator()
    peers = [hub.peer(caller, name) for name in names] if names else hub.peers(caller)
    return _probed(peers, settings, as_json=as_json)


def send(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file, or a folder with all below it.")],
    name: PeerName,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> int:
    """Send files to a peer at once: DICOM by C-STORE or STOW-RS, HL7 messages by MLLP."""
    from hilum.core.routing.model import Verdict

    if not path.exists():
        raise Invalid(f"there is nothing at {path}", next_step="name a file or a folder")
    settings = settings_of(data, config, database, objects)
    peer = hub_of(settings).peer(operator(), name)
    rows, answers = [], []
    for file, receipt in _receipts(path, peer, settings):
        answers.append(receipt)
        rows.append(
            {"file": str(file), "verdict": receipt.verdict, "code": receipt.code, "text": receipt.text}
        )
        if receipt.verdict is not Verdict.ACCEPTED and not as_json:
            tell(printable(f"{file}: {receipt.code} {receipt.text}".rstrip()))
    sent = sum(receipt.verdict is Verdict.ACCEPTED for receipt in answers)
    if as_json:
        show_table(rows, (), as_json=True)
    tell(f"{sent} of {len(rows)} were accepted by {name}")
    return _exit_of(answers)


def _receipts(path: Path, peer: Peer, settings: Settings) -> Iterator[tuple[Path, "Receipt"]]:
    from hilum.cli.file_parcels import receipts

    return receipts(path, peer, settings)


def _exit_of(receipts: Sequence["Receipt"]) -> Exit:
    """All accepted, some, or none: then refused by the peer, or not reached."""
    judged = [judge(receipt) for receipt in receipts]
    if Exit.OK in judged:
        return Exit.OK if set(judged) == {Exit.OK} else Exit.PARTIAL
    return Exit.UNREACHABLE if Exit.UNREACHABLE in judged else Exit.REFUSED


def _probed(peers: Sequence[Peer], settings: Settings, *, as_json: bool) -> int:
    from hilum.app import test_peer

    rows, code = [], Exit.OK
    for peer in peers:
        started = time.monotonic()
        receipt = test_peer(settings, peer)
        judged = judge(receipt)
        rows.append(
            {
                "peer": peer.name,
                "kind": peer.kind,
                "answer": "ok" if judged is Exit.OK else judged.name.lower(),
                "said": f"{receipt.code} {receipt.text}".strip(),
                "milliseconds": round((time.monotonic() - started) * 1000),
            }
        )
        code = judged if code is Exit.OK or judged is Exit.UNREACHABLE else code
    show_table(rows, _COLUMNS, as_json=as_json)
    return code


def judge(receipt: "Receipt") -> Exit:
    """Tell a peer that answered no from one that did not answer."""
    from hilum.core.routing.model import Verdict

    if receipt.verdict is Verdict.ACCEPTED:
        return Exit.OK
    return Exit.UNREACHABLE if receipt.code in _SILENCE else Exit.REFUSED
