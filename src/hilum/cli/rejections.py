"""Take instances out of sight, bring them back, delete them."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli.frame import tell
from hilum.cli.options import Config, Data, Database, Json, Objects, hub_of, operator, settings_of
from hilum.cli.output import show_table
from hilum.core.kernel.errors import Invalid
from hilum.core.kernel.identifiers import uid

if TYPE_CHECKING:
    from hilum.core.archive.lifecycle import RejectionReason

_COLUMNS = (
    "key",
    "study_instance_uid",
    "reason",
    "number_of_instances",
    "caller",
    "created",
    "expires",
    "detail",
)
_TOMBSTONES = ("sop_instance_uid", "study_instance_uid", "reason", "caller", "ordered", "deleted", "detail")

Study = Annotated[str, typer.Argument(metavar="STUDY", help="Study Instance UID.")]
Series = Annotated[str, typer.Option("--series", metavar="UID", help="Only this series.")]
Instance = Annotated[str, typer.Option("--instance", metavar="UID", help="Only this instance.")]
Of = Annotated[str, typer.Option("--study", metavar="UID", help="Only those of this study.")]
Why = Annotated[str, typer.Option("--detail", metavar="TEXT", help="Why, in words.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, newest first.")]


def list_rejections(
    study: Of = "",
    limit: Limit = 100,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> None:
    """List rejections that hold, newest first."""
    hub = hub_of(settings_of(data, config, database, objects))
    rows = [asdict(one) for one in hub.rejections(operator(), limit, study)]
    show_table(rows, _COLUMNS, as_json=as_json)


def add_rejection(
    study: Study,
    detail: Why,
    reason: Annotated[
        str, typer.Option(help="quality, patient-safety, worklist-entry or retention.")
    ] = "quality",
    series: Series = "",
    instance: Instance = "",
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> None:
    """Reject a study, a series or an instance: it is out of sight until it is restored."""
    hub = hub_of(settings_of(data, config, database, objects))
    made = hub.reject(operator(), _uids(study, series, instance), _reason(reason), detail)
    tell(f"{made.number_of_instances} instances are out of sight; hilum rejections restore {made.key}")


def delete_instances(
    study: Study,
    detail: Why,
    reason: Annotated[str, typer.Option(help="retention or quality.")] = "retention",
    series: Series = "",
    instance: Instance = "",
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> None:
    """Delete a study, a series or an instance: out of sight now, gone after the grace period (`deletion.grace`)."""
    hub = hub_of(settings_of(data, config, database, objects))
    made = hub.order_deletion(operator(), _uids(study, series, instance), _reason(reason), detail)
    tell(
        f"{made.number_of_instances} instances are out of sight, and deleted at {made.expires:%Y-%m-%d %H:%M}; "
        f"until then: hilum rejections restore {made.key}"
    )


def restore_rejection(
    key: Annotated[int, typer.Argument(metavar="KEY", help="Number of the rejection.")],
    detail: Why,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
) -> None:
    """Take a rejection or an ordered deletion back."""
    hub = hub_of(settings_of(data, config, database, objects))
    restored = hub.restore(operator(), key, detail)
    tell(
        f"{restored.number_of_instances} instances of {restored.study_instance_uid} are rejected by it no more"
    )


def list_tombstones(
    study: Of = "",
    limit: Limit = 100,
    data: Data = None,
    config: Config = None,
    database: Database = None,
    objects: Objects = None,
    as_json: Json = False,
) -> None:
    """List instances that were deleted, newest first."""
    hub = hub_of(settings_of(data, config, database, objects))
    rows = [asdict(one) for one in hub.tombstones(operator(), limit, study)]
    show_table(rows, _TOMBSTONES, as_json=as_json)


def _uids(study: str, series: str, instance: str) -> tuple[str, str, str]:
    below = [uid(one) if one else "" for one in (series, instance)]
    return uid(study), below[0], below[1]


def _reason(text: str) -> "RejectionReason":
    from hilum.core.archive.lifecycle import RejectionReason

    try:
        return RejectionReason(text)
    except ValueError as error:
        raise Invalid("no such reason", next_step=f"choose of: {', '.join(RejectionReason)}") from error


COMMANDS = {
    "list": list_rejections,
    "add": add_rejection,
    "delete": delete_instances,
    "restore": restore_rejection,
    "tombstones": list_tombstones,
}
