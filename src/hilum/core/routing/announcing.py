"""Instance availability (PS3.4 R, RAD-49): once a study has been quiet for a while, tell the peers that want to know."""

import hashlib
from datetime import timedelta

from hilum.core.archive import usecases as archive
from hilum.core.archive.events import InstanceStored
from hilum.core.archive.model import Chore, ChoreKind, Exact, Level, Query, Retrieved
from hilum.core.kernel.errors import NotFound
from hilum.core.routing import rules
from hilum.core.routing.model import AvailabilityParcel, Delivery, ParcelKind
from hilum.core.routing.ports import RoutingTransaction

QUIET = timedelta(seconds=60)
"""So long nothing must come for a study before it is announced."""


def follow(tx: RoutingTransaction, event: InstanceStored) -> None:
    """Put the announcement of a study off until it is quiet, where any rule wants one."""
    if any(rule.event == rules.STUDY_AVAILABLE for rule in tx.routing.rules()):
        tx.background.put_chore(Chore(ChoreKind.ANNOUNCE, event.study_instance_uid, tx.now + QUIET))


def announce(tx: RoutingTransaction, study_instance_uid: str) -> None:
    """Plan the announcement of a study as it is now to every destination of every rule that applies."""
    instances = _instances(tx, study_instance_uid)
    found = tx.archive.find(Query(Level.STUDY, {"study_instance_uid": Exact(study_instance_uid)}, limit=1))
    study = found[0].study if found else None
    if study is None or not instances:
        return
    reference = f"{study_instance_uid}/{len(instances)}"
    sources = {one.instance.source for one in instances}
    for rule in tx.routing.rules():
        if rules.announces(rule, sources, study.modalities):
            for destination in rule.to:
                trace = tx.fresh_key()[:16]
                tx.routing.add(destination, ParcelKind.AVAILABILITY, reference, rule.name, trace)


def parcel(tx: RoutingTransaction, delivery: Delivery) -> AvailabilityParcel:
    """Return what an announcement says: the study as it is when it is sent; raises NotFound."""
    study_instance_uid = delivery.reference.partition("/")[0]
    instances = _instances(tx, study_instance_uid)
    if not instances:
        raise NotFound("the study of this announcement is gone")
    steps = tx.orders.performed_of_study(study_instance_uid)
    digest = hashlib.sha256(f"{delivery.destination} {delivery.key}".encode()).digest()
    return AvailabilityParcel(
        sop_instance_uid=f"2.25.{int.from_bytes(digest[:15])}",
        study_instance_uid=study_instance_uid,
        instances=tuple(instances),
        performed_procedure_steps=tuple(step.sop_instance_uid for step in steps),
    )


def _instances(tx: RoutingTransaction, study_instance_uid: str) -> list[Retrieved]:
    return archive.instances(tx, Query(Level.INSTANCE, {"study_instance_uid": Exact(study_instance_uid)}))
