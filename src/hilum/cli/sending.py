"""Commands that speak with one peer at once, without the queue."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli.frame import Exit, tell
from hilum.cli.options import Config, Data, Database, Json, Objects, hub_of, operator, settings_of
from hilum.cli.output import show_table
from hilum.core.access.model import Peer
from hilum.core.kernel.errors import Invalid
from hilum.settings import Settings

if TYPE_CHECKING:
    from hilum.core.routing.model import Receipt, Verdict

_COLUMNS = ("peer", "kind", "answer", "said", "milliseconds")

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
    rows = []
    for file, receipt in _receipts(path, peer, settings):
        rows.append(
            {"file": str(file), "verdict": receipt.verdict, "code": receipt.code, "text": receipt.text}
        )
        if receipt.verdict is not Verdict.ACCEPTED and not as_json:
            tell(f"{file}: {receipt.code} {receipt.text}".rstrip())
    sent = sum(row["verdict"] is Verdict.ACCEPTED for row in rows)
    if as_json:
        show_table(rows, (), as_json=True)
    tell(f"{sent} of {len(rows)} were accepted by {name}")
    return _exit_of([Verdict(row["verdict"]) for row in rows])


def _receipts(path: Path, peer: Peer, settings: Settings) -> Iterator[tuple[Path, "Receipt"]]:
    from hilum.cli.file_parcels import receipts

    return receipts(path, peer, settings)


def _exit_of(verdicts: Sequence["Verdict"]) -> Exit:
    """All accepted, some, or none: refused by the peer, or not reached."""
    from hilum.core.routing.model import Verdict

    accepted = sum(verdict is Verdict.ACCEPTED for verdict in verdicts)
    if accepted:
        return Exit.OK if accepted == len(verdicts) else Exit.PARTIAL
    return Exit.REFUSED if Verdict.REJECTED in verdicts or not verdicts else Exit.UNREACHABLE


def _probed(peers: Sequence[Peer], settings: Settings, *, as_json: bool) -> int:
    from hilum.cli.probing import probe

    rows, code = [], Exit.OK
    for peer in peers:
        answer = probe(peer, settings)
        word = "ok" if answer.accepted else "refused" if answer.reached else "unreachable"
        rows.append(
            {
                "peer": peer.name,
                "kind": peer.kind,
                "answer": word,
                "said": answer.said,
                "milliseconds": round(answer.seconds * 1000),
            }
        )
        worse = Exit.OK if answer.accepted else Exit.REFUSED if answer.reached else Exit.UNREACHABLE
        code = worse if code is Exit.OK or worse is Exit.UNREACHABLE else code
    show_table(rows, _COLUMNS, as_json=as_json)
    return code
