"""Register, update, merge, unmerge, find."""

from dataclasses import replace

from hilum.core.access import policy
from hilum.core.audit.usecases import record
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import Conflict, Invalid, NotFound
from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients import rules
from hilum.core.patients.events import PatientRegistered, PatientsMerged, PatientsUnmerged, PatientUpdated
from hilum.core.patients.model import (
    Demographics,
    LinkedPatient,
    PatientQuery,
    PatientRecord,
    PatientStatement,
)
from hilum.core.patients.ports import PatientsTransaction


def register(tx: PatientsTransaction, caller: Caller, statement: PatientStatement) -> PatientRecord:
    """Register or update the records that a message speaks of; the first identifier's is returned (ITI-30, RAD-1)."""
    policy.demand(caller, Permission.PATIENTS_WRITE)
    if not statement.identifiers:
        raise Invalid("a patient needs at least one identifier (PID-3)", next_step="send PID-3.1 and PID-3.4")
    met = (
        _meet(tx, caller, identifier, statement.demographics, authoritative=True)
        for identifier in statement.identifiers
    )
    spoken_of = list({known.key: known for known in met}.values())
    _join(tx, caller, spoken_of, statement.demographics)
    for known in spoken_of:
        _update(tx, caller, known, statement)
    return _current(tx, spoken_of[0])


def resolve(
    tx: PatientsTransaction, caller: Caller, identifier: Identifier, demographics: Demographics
) -> PatientRecord:
    """Return the record of an identifier that an image or a merge names, made when it is new; it is never updated."""
    return _meet(tx, caller, identifier, demographics, authoritative=False)


def look_up(
    tx: PatientsTransaction, caller: Caller, identifier: Identifier, demographics: Demographics
) -> PatientRecord | None:
    """Return the record that an identifier and demographics speak of, if it is known."""
    identifier = with_default_issuer(caller, identifier)
    exact = tx.patients.by_identifier(identifier)
    if exact is not None:
        return exact
    others = tx.patients.by_value(identifier.value)
    if not others:
        return None
    return rules.same_without_issuer(identifier, demographics, others, tx.patients.issuers())


def merge(
    tx: PatientsTransaction, caller: Caller, survivor: PatientStatement, retired: PatientStatement
) -> PatientRecord:
    """ADT^A40: PID-3 survives, MRG-1 retires (ITI-30, RAD-12). One pointer is set; repeating it changes nothing."""
    policy.demand(caller, Permission.PATIENTS_WRITE)
    if not retired.identifiers:
        raise Invalid(
            "a merge needs the identifier that retires (MRG-1)", next_step="send MRG-1.1 and MRG-1.4"
        )
    surviving = register(tx, caller, survivor)
    for identifier in retired.identifiers:
        retiring = resolve(tx, caller, identifier, retired.demographics)
        _merge(tx, caller, retiring, _current(tx, surviving))
    return _current(tx, surviving)


def unmerge(tx: PatientsTransaction, caller: Caller, public_id: str) -> PatientRecord:
    """Take the pointer of a merged record back (ADT^A37)."""
    policy.demand(caller, Permission.PATIENTS_WRITE)
    restored = _existing(tx, public_id)
    if restored.survivor_key is None:
        raise Conflict("this record was not merged", next_step="choose the record that retired")
    _take_back(tx, caller, restored)
    return _existing(tx, public_id)


def read(
    tx: PatientsTransaction, caller: Caller, public_id: str
) -> tuple[PatientRecord, list[PatientRecord]]:
    """Return a record and all records linked to it, root first."""
    policy.demand(caller, Permission.PATIENTS_READ)
    found = _existing(tx, public_id)
    record(tx, caller, "patients.read", f"Patient/{public_id}")
    return found, tx.patients.linked(found.root_key)


def find(tx: PatientsTransaction, caller: Caller, query: PatientQuery) -> tuple[list[PatientRecord], int]:
    """Return one page of records, and how many there are."""
    policy.demand(caller, Permission.PATIENTS_READ)
    found = tx.patients.find(query)
    record(tx, caller, "patients.query", "Patient", detail=f"{len(found)} answers")
    return found, tx.patients.count(query)


def find_linked(
    tx: PatientsTransaction, caller: Caller, query: PatientQuery
) -> tuple[list[LinkedPatient], int]:
    """Return one page of records, each with all that are linked to it, and how many there are."""
    found, total = find(tx, caller, query)
    linked: dict[int, list[PatientRecord]] = {}
    for one in tx.patients.linked_to(sorted({one.root_key for one in found})):
        linked.setdefault(one.root_key, []).append(one)
    return [LinkedPatient(one, tuple(linked[one.root_key])) for one in found], total


def root_of(tx: PatientsTransaction, known: PatientRecord) -> PatientRecord:
    """Return the survivor of a record."""
    if known.root_key == known.key:
        return known
    root = tx.patients.by_key(known.root_key)
    if root is None:
        raise NotFound("the surviving record is gone", next_step="run `hilum doctor`")
    return root


def with_default_issuer(caller: Caller, identifier: Identifier) -> Identifier:
    """Return an identifier with the issuer that is meant when the caller says none."""
    return replace(identifier, issuer=identifier.issuer or caller.default_issuer)


def _meet(
    tx: PatientsTransaction,
    caller: Caller,
    identifier: Identifier,
    demographics: Demographics,
    *,
    authoritative: bool,
) -> PatientRecord:
    """Return the record of an identifier as it stands, made when it is new, given an issuer when it had none."""
    identifier = with_default_issuer(caller, identifier)
    known = look_up(tx, caller, identifier, demographics)
    if known is None:
        return _add(tx, caller, identifier, demographics, authoritative=authoritative)
    if not identifier.issuer or known.identifier.issuer:
        return known
    tx.patients.put_issuer(known, identifier.issuer)
    record(tx, caller, "patients.issuer", f"Patient/{known.public_id}")
    tx.events.append(PatientUpdated(known.public_id), caller.trace)
    return _current(tx, known)


def _add(
    tx: PatientsTransaction,
    caller: Caller,
    identifier: Identifier,
    demographics: Demographics,
    *,
    authoritative: bool,
) -> PatientRecord:
    added = tx.patients.add(
        PatientRecord(
            key=0,
            public_id=tx.fresh_key(),
            identifier=identifier,
            demographics=demographics,
            survivor_key=None,
            root_key=0,
            authoritative=authoritative,
            version=1,
            created=tx.now,
            updated=tx.now,
        )
    )
    record(tx, caller, "patients.register", f"Patient/{added.public_id}")
    tx.events.append(PatientRegistered(added.public_id), caller.trace)
    return added


def _update(
    tx: PatientsTransaction, caller: Caller, known: PatientRecord, statement: PatientStatement
) -> None:
    demographics = rules.merged_demographics(known.demographics, statement)
    if demographics == known.demographics and known.authoritative:
        return
    tx.patients.put_demographics(known, demographics, authoritative=True)
    record(tx, caller, "patients.update", f"Patient/{known.public_id}")
    tx.events.append(PatientUpdated(known.public_id), caller.trace)


def _join(
    tx: PatientsTransaction, caller: Caller, spoken_of: list[PatientRecord], demographics: Demographics
) -> None:
    """Link the records that one message names for one person, unless they already belong to two persons.

    Version 1 tells that nobody merged, unmerged or described the other one since it was made.
    """
    first, *others = spoken_of
    for other in others:
        if other.version == 1 and not rules.contradict(other.demographics, demographics):
            _point(tx, caller, other, first)


def _merge(
    tx: PatientsTransaction, caller: Caller, retiring: PatientRecord, surviving: PatientRecord
) -> None:
    """Point the retiring person at the surviving one. The other way round from before, the pointer turns round."""
    if surviving.root_key == retiring.key != surviving.key:
        _take_back(tx, caller, surviving)
    _point(tx, caller, retiring, _current(tx, surviving))


def _take_back(tx: PatientsTransaction, caller: Caller, restored: PatientRecord) -> None:
    survivor = root_of(tx, restored)
    tx.patients.point(restored, None)
    below = _subtree(tx, restored.key)
    tx.patients.put_root(below, restored.key)
    tx.patients.touch([survivor.key, *below[1:]])
    record(tx, caller, "patients.unmerge", f"Patient/{restored.public_id}")
    tx.events.append(PatientsUnmerged(survivor.public_id, restored.public_id), caller.trace)


def _point(
    tx: PatientsTransaction, caller: Caller, retiring: PatientRecord, surviving: PatientRecord
) -> None:
    retired_root, surviving_root = root_of(tx, retiring), root_of(tx, surviving)
    if retired_root.key == surviving_root.key:
        return
    tx.patients.point(retired_root, surviving_root.key)
    below = _subtree(tx, retired_root.key)
    tx.patients.put_root(below, surviving_root.key)
    tx.patients.touch([surviving_root.key, *below[1:]])
    detail = f"into Patient/{surviving_root.public_id}"
    record(tx, caller, "patients.merge", f"Patient/{retired_root.public_id}", detail=detail)
    tx.events.append(PatientsMerged(surviving_root.public_id, retired_root.public_id), caller.trace)


def _subtree(tx: PatientsTransaction, key: int) -> list[int]:
    """Return the key and all keys below it; pointers form a tree, since only roots are ever pointed."""
    keys, at = [key], 0
    while at < len(keys):
        keys.extend(child.key for child in tx.patients.pointing_at(keys[at]))
        at += 1
    return keys


def _existing(tx: PatientsTransaction, public_id: str) -> PatientRecord:
    found = tx.patients.by_public_id(public_id)
    if found is None:
        raise NotFound("no such patient", next_step="search by identifier")
    return found


def _current(tx: PatientsTransaction, known: PatientRecord) -> PatientRecord:
    current = tx.patients.by_key(known.key)
    if current is None:
        raise NotFound("the patient record is gone")
    return current
