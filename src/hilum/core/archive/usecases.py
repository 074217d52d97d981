"""Store, find, retrieve, commit."""

from dataclasses import replace
from datetime import timedelta

from hilum.core.access import policy
from hilum.core.archive import rejection, rules
from hilum.core.archive.events import ConflictKept, InstanceReplaced, InstanceStored
from hilum.core.archive.lifecycle import NEVER_AGAIN, RejectionNote, RejectionReason, reason_of
from hilum.core.archive.model import (
    Blob,
    Commitment,
    CommitmentState,
    Exact,
    Found,
    Header,
    Instance,
    Level,
    Query,
    ReferencedInstance,
    Retrieved,
    Series,
    Stored,
    StoredConflict,
    StoreOutcome,
    Study,
    StudyContent,
    StudyPage,
)
from hilum.core.archive.ports import ArchiveTransaction, Objects
from hilum.core.audit.usecases import record
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.choices import DuplicatePolicy, View
from hilum.core.kernel.errors import Invalid, NotFound
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders import usecases as orders
from hilum.core.orders.model import Order
from hilum.core.patients import rules as patient_rules
from hilum.core.patients import usecases as patients
from hilum.core.patients.model import UNIDENTIFIED, PatientRecord

NO_SUCH_INSTANCE = 0x0112
CLASS_INSTANCE_CONFLICT = 0x0119
"""Failure Reason (0008,1197) of storage commitment, PS3.3 C.14."""

GRACE = timedelta(days=30)
"""How long what was deleted, expired or replaced can be brought back, unless the settings say else."""

SWEEP_AGE = timedelta(hours=24)
"""A blob younger than this may belong to a transaction still on its way."""


def store(
    tx: ArchiveTransaction,
    caller: Caller,
    header: Header,
    blob: Blob,
    note: RejectionNote | None = None,
    grace: timedelta = GRACE,
) -> Stored:
    """Keep one instance whose bytes are safe already (PS3.4 B.2). Repeating it changes nothing.

    Where it is a rejection note, what it refers to is hidden in the same transaction. `grace` is how long what was
    replaced or expired is kept.
    """
    policy.demand(caller, Permission.ARCHIVE_STORE)
    kept = tx.archive.instance(header.sop_instance_uid)
    if kept is not None:
        return _store_again(tx, caller, header, blob, kept, grace)
    study_key, series_key = _place(tx, caller, header)
    tx.archive.add_instance(header, series_key, study_key, blob, caller.source)
    record(tx, caller, "archive.store", f"Instance/{header.sop_instance_uid}")
    if note is not None:
        rejection.take_note(tx, caller, header.sop_instance_uid, note, grace)
    tx.events.append(_stored_event(header, caller), caller.trace)
    return _answer(header, StoreOutcome.STORED)


def find(tx: ArchiveTransaction, caller: Caller, query: Query) -> list[Found]:
    """Return one page of answers (PS3.4 C.4.1, PS3.18 10.6)."""
    policy.demand(caller, Permission.ARCHIVE_QUERY)
    _check_keys(query)
    found = tx.archive.find(replace(query, view=caller.view))
    record(tx, caller, "archive.query", query.level, detail=f"{len(found)} answers")
    return found


def count(tx: ArchiveTransaction, caller: Caller, query: Query) -> int:
    """Return how many answers a query has."""
    policy.demand(caller, Permission.ARCHIVE_QUERY)
    _check_keys(query)
    return tx.archive.count(replace(query, view=caller.view))


def find_contents(
    tx: ArchiveTransaction, caller: Caller, query: Query, *, most_instances: int, counted: bool
) -> StudyPage:
    """Return one page of studies with all that is below them, and how many there are when that is asked.

    A page ends early rather than hold more than `most_instances`, but has one study at least.
    """
    limit = query.limit
    found = find(tx, caller, query if limit is None else replace(query, limit=limit + 1))
    fitting = rules.as_many_as_fit(found[:limit], most_instances)
    total = count(tx, caller, query) if counted else None
    return StudyPage(tuple(_contents(tx, fitting, caller.view)), more=len(fitting) < len(found), total=total)


def read_study(tx: ArchiveTransaction, caller: Caller, study_instance_uid: str) -> StudyContent:
    """Return one study with all that is below it; raises NotFound."""
    policy.demand(caller, Permission.ARCHIVE_QUERY)
    matches = {"study_instance_uid": Exact(study_instance_uid)}
    found = tx.archive.find(Query(Level.STUDY, matches, limit=1, view=caller.view))
    if not found:
        raise NotFound("no such study", next_step="search by patient or accession number")
    record(tx, caller, "archive.read", f"Study/{study_instance_uid}")
    return _contents(tx, found, caller.view)[0]


def retrieve(tx: ArchiveTransaction, caller: Caller, query: Query) -> list[Retrieved]:
    """Return every instance below what matches, to hand out (PS3.4 C.4.2, C.4.3; PS3.18 10.4)."""
    policy.demand(caller, Permission.ARCHIVE_RETRIEVE)
    _check_keys(query)
    chosen = instances(tx, replace(query, view=caller.view))
    entities = sorted({f"Study/{one.study_instance_uid}" for one in chosen})
    for entity in entities:
        record(tx, caller, "archive.retrieve", entity, detail=f"{len(chosen)} instances")
    return chosen


def instances(tx: ArchiveTransaction, query: Query) -> list[Retrieved]:
    """Return what `retrieve` would, for Hilum itself: nothing is handed out."""
    return [_retrieved(found) for found in tx.archive.select(query)]


def request_commitment(
    tx: ArchiveTransaction,
    caller: Caller,
    ae_title: str,
    transaction_uid: str,
    references: tuple[ReferencedInstance, ...],
    objects: Objects,
) -> Commitment:
    """N-ACTION of storage commitment (PS3.4 J.3.2): commit only to what is kept, row and bytes.

    The report goes out on the association of the request while that lives, else by the queue of the peer.
    """
    policy.demand(caller, Permission.ARCHIVE_COMMIT)
    kept = tx.archive.stored_classes([reference.sop_instance_uid for reference in references])
    judged = [_judged(reference, kept, objects) for reference in references]
    commitment = Commitment(
        transaction_uid=transaction_uid,
        peer=caller.peer or caller.name,
        ae_title=ae_title,
        committed=tuple(one for one in judged if not one.failure_reason),
        failed=tuple(one for one in judged if one.failure_reason),
        state=CommitmentState.REQUESTED,
        created=tx.now,
    )
    tx.archive.put_commitment(commitment)
    record(tx, caller, "archive.commit", f"StorageCommitment/{transaction_uid}")
    return commitment


def commitment(tx: ArchiveTransaction, transaction_uid: str) -> Commitment:
    """Return one storage commitment transaction; raises NotFound."""
    kept = tx.archive.commitment(transaction_uid)
    if kept is None:
        raise NotFound("no such storage commitment transaction")
    return kept


def commitment_reported(tx: ArchiveTransaction, transaction_uid: str) -> None:
    """Note that the N-EVENT-REPORT was answered with success."""
    put_commitment_state(tx, transaction_uid, CommitmentState.REPORTED)


def put_commitment_state(tx: ArchiveTransaction, transaction_uid: str, state: CommitmentState) -> None:
    """Move a storage commitment transaction on."""
    tx.archive.put_commitment(replace(commitment(tx, transaction_uid), state=state))


def conflicts(tx: ArchiveTransaction, caller: Caller, limit: int) -> list[StoredConflict]:
    """Return open conflicts, newest first."""
    policy.demand(caller, Permission.CONFLICTS_READ)
    return tx.archive.conflicts(limit)


def _contents(tx: ArchiveTransaction, found: list[Found], view: View) -> list[StudyContent]:
    """Add series, instances and orders to studies: two statements for the whole page."""
    studies = [(one.patient, one.study) for one in found if one.study is not None]
    if not studies:
        return []
    below = tx.archive.contents([study.key for _, study in studies], view)
    orders_of = tx.orders.public_ids(sorted({study.order_key for _, study in studies if study.order_key}))
    return [
        StudyContent(patient, study, orders_of.get(study.order_key or 0, ""), below.get(study.key, ()))
        for patient, study in studies
    ]


def _store_again(
    tx: ArchiveTransaction,
    caller: Caller,
    header: Header,
    blob: Blob,
    kept: tuple[Instance, Series, Study],
    grace: timedelta,
) -> Stored:
    instance, series, study = kept
    rejected = reason_of(instance.standing)
    if rejected in NEVER_AGAIN:
        entity, detail = f"Instance/{header.sop_instance_uid}", f"rejected: {rejected}"
        record(tx, caller, "archive.refuse", entity, detail=detail)
        return _answer(header, StoreOutcome.REJECTED, f"it was rejected before: {rejected}")
    if instance.blob.digest == blob.digest:
        if rejected is RejectionReason.RETENTION:
            rejection.restore_instance(tx, caller, header.sop_instance_uid)
        return _answer(header, StoreOutcome.DUPLICATE)
    moved = (series.series_instance_uid, study.study_instance_uid) != (
        header.series_instance_uid,
        header.study_instance_uid,
    )
    return _other_bytes(tx, caller, header, blob, grace, moved=moved)


def _other_bytes(
    tx: ArchiveTransaction, caller: Caller, header: Header, blob: Blob, grace: timedelta, *, moved: bool
) -> Stored:
    """Do with other bytes under a known SOP Instance UID as the caller's options say; a moved one replaces nothing."""
    reason = "the same SOP Instance UID is kept " + ("in another series" if moved else "with other bytes")
    match caller.duplicates:
        case DuplicatePolicy.IGNORE:
            record(tx, caller, "archive.ignore", f"Instance/{header.sop_instance_uid}")
            return _answer(header, StoreOutcome.DUPLICATE)
        case DuplicatePolicy.REPLACE if not moved:
            replace_instance(tx, caller, header, blob, grace)
            return _answer(header, StoreOutcome.REPLACED)
        case DuplicatePolicy.QUARANTINE:
            _keep_conflict(tx, caller, header, "quarantined", reason, blob)
            return _answer(header, StoreOutcome.QUARANTINED)
        case _:
            _keep_conflict(tx, caller, header, "same-uid", reason, blob)
            return _answer(header, StoreOutcome.CONFLICT, reason)


def replace_instance(
    tx: ArchiveTransaction, caller: Caller, header: Header, blob: Blob, grace: timedelta
) -> None:
    """Put other bytes in use for an instance; those before them stay as a version until the grace period ends."""
    tx.lifecycle.replace_instance(header, blob, caller.source, tx.now + grace)
    record(tx, caller, "archive.replace", f"Instance/{header.sop_instance_uid}", detail=blob.digest)
    uids = header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid
    tx.events.append(InstanceReplaced(*uids, blob.digest), caller.trace)


def _place(tx: ArchiveTransaction, caller: Caller, header: Header) -> tuple[int, int]:
    """Return the keys of the study and series, made when they are new."""
    known_series = tx.archive.series(header.series_instance_uid)
    if known_series is not None:
        series, study = known_series
        if study.study_instance_uid != header.study_instance_uid:
            raise Invalid(
                "this Series Instance UID is kept in another study", next_step="mend the UIDs at their source"
            )
        _watch_patient(tx, caller, header, study)
        if series.number_of_instances == 0:
            tx.lifecycle.show_series(series.key, study.key, series.modality)
        return study.key, series.key
    known_study = tx.archive.study(header.study_instance_uid)
    if known_study is not None:
        _watch_patient(tx, caller, header, known_study)
        return known_study.key, tx.archive.add_series(header, known_study.key)
    study_key = _new_study(tx, caller, header)
    return study_key, tx.archive.add_series(header, study_key)


def _new_study(tx: ArchiveTransaction, caller: Caller, header: Header) -> int:
    order = orders.match(tx, header.study_instance_uid, header.accession_number)
    patient, order = _patient_of(tx, caller, header, order)
    known = patient.demographics
    if patient_rules.contradict(known, rules.demographics_of(header)):
        reason = "birth date or sex of the image contradict the patient record"
        _keep_conflict(tx, caller, header, "patient-contradiction", reason, None)
    return tx.archive.add_study(header, patient.key, order.key if order else None)


def _patient_of(
    tx: ArchiveTransaction, caller: Caller, header: Header, order: Order | None
) -> tuple[PatientRecord, Order | None]:
    """Return the record that the images belong to, and the order when it is of the same patient."""
    identifier = patients.with_default_issuer(caller, _identifier_of(header))
    ordered_for = tx.patients.by_key(order.patient_record_key) if order else None
    if ordered_for is not None and _names(identifier, ordered_for):
        return ordered_for, order
    patient = patients.resolve(tx, caller, identifier, rules.demographics_of(header))
    if ordered_for is not None and ordered_for.root_key == patient.root_key:
        return patient, order
    if order is not None:
        reason = "the order of this study is for another patient than its images"
        _keep_conflict(tx, caller, header, "order-of-another-patient", reason, None)
    return patient, None


def _names(identifier: Identifier, patient: PatientRecord) -> bool:
    """Tell whether an image carries this record's identifier; modalities often drop the issuer."""
    issuers = ("", patient.identifier.issuer)
    return identifier.value == patient.identifier.value and identifier.issuer in issuers


def _identifier_of(header: Header) -> Identifier:
    if not header.patient_id:
        return Identifier(header.study_instance_uid, UNIDENTIFIED)
    return Identifier(header.patient_id, header.issuer_of_patient_id)


def _watch_patient(tx: ArchiveTransaction, caller: Caller, header: Header, study: Study) -> None:
    """Set a conflict beside an image whose patient ID is neither that of the study it joins nor of the same person."""
    if header.patient_id != study.received_patient_id and not _same_person(tx, caller, header, study):
        reason = "images of one study carry different patient IDs"
        _keep_conflict(tx, caller, header, "patient-of-study", reason, None)


def _same_person(tx: ArchiveTransaction, caller: Caller, header: Header, study: Study) -> bool:
    """Tell whether the other patient ID is one of the same person's: numbers change when records are merged."""
    identifier, demographics = _identifier_of(header), rules.demographics_of(header)
    named = patients.look_up(tx, caller, identifier, demographics)
    kept = tx.patients.by_key(study.patient_record_key)
    return named is not None and kept is not None and named.root_key == kept.root_key


def _keep_conflict(
    tx: ArchiveTransaction, caller: Caller, header: Header, kind: str, reason: str, blob: Blob | None
) -> None:
    conflict = StoredConflict(
        key=0,
        kind=kind,
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        sop_instance_uid=header.sop_instance_uid,
        blob=blob,
        source=caller.source,
        detail=reason,
        created=tx.now,
    )
    if tx.archive.add_conflict(conflict):
        record(tx, caller, "archive.conflict", f"Instance/{header.sop_instance_uid}", detail=kind)
        tx.events.append(ConflictKept(kind, header.sop_instance_uid), caller.trace)


def _check_keys(query: Query) -> None:
    unknown = sorted(set(query.matches) - rules.keys_at(query.level))
    if unknown:
        raise Invalid(f"a query at {query.level} level cannot match on {', '.join(unknown)}")


def _retrieved(found: Found) -> Retrieved:
    if found.study is None or found.series is None or found.instance is None:
        raise NotFound("the selection reached no instance")
    other = found.patient.key != found.study.patient_record_key or found.study.reassigned
    return Retrieved(
        instance=found.instance,
        series_instance_uid=found.series.series_instance_uid,
        study_instance_uid=found.study.study_instance_uid,
        patient=found.patient if other or found.patient.authoritative else None,
    )


def _judged(
    reference: ReferencedInstance, kept: dict[str, tuple[str, str]], objects: Objects
) -> ReferencedInstance:
    sop_class_uid, digest = kept.get(reference.sop_instance_uid, ("", ""))
    if not digest or not objects.contains(digest):
        return replace(reference, failure_reason=NO_SUCH_INSTANCE)
    if sop_class_uid != reference.sop_class_uid:
        return replace(reference, failure_reason=CLASS_INSTANCE_CONFLICT)
    return reference


def _stored_event(header: Header, caller: Caller) -> InstanceStored:
    return InstanceStored(
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        modality=header.modality,
        source=caller.source,
    )


def _answer(header: Header, outcome: StoreOutcome, reason: str = "") -> Stored:
    return Stored(
        outcome=outcome,
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        sop_class_uid=header.sop_class_uid,
        sop_instance_uid=header.sop_instance_uid,
        reason=reason,
    )
