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
    records = [resolve(tx, caller, identifier, statement) for identifier in statement.identifiers]
    _join(tx, caller, records)
    return _current(tx, records[0])


def resolve(
    tx: PatientsTransaction,
    caller: Caller,
    identifier: Identifier,
    statement: PatientStatement,
    *,
    authoritative: bool = True,
) -> PatientRecord:
    """Return the record of an identifier, made when it is new; an authoritative statement updates it."""
    identifier = _with_default_issuer(caller, identifier)
    known = look_up(tx, identifier, statement.demographics)
    if known is None:
        return _add(tx, caller, identifier, statement.demographics, authoritative=authoritative)
    if identifier.issuer and not known.identifier.issuer:
        tx.patients.put_issuer(known, identifier.issuer)
        known = _current(tx, known)
    if authoritative:
        _update(tx, caller, known, statement)
        known = _current(tx, known)
    return known


def look_up(
    tx: PatientsTransaction, identifier: Identifier, demographics: Demographics
) -> PatientRecord | None:
    """Return the record that an identifier and demographics speak of, if it is known."""
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
        retiring = resolve(tx, caller, identifier, retired, authoritative=False)
        _point(tx, caller, retiring, surviving)
    return _current(tx, surviving)


def unmerge(tx: PatientsTransaction, caller: Caller, public_id: str) -> PatientRecord:
    """Take the pointer of a merged record back (ADT^A37)."""
    policy.demand(caller, Permission.PATIENTS_WRITE)
    restored = _existing(tx, public_id)
    if restored.survivor_key is None:
        raise Conflict("this record was not merged", next_step="choose the record that retired")
    survivor = tx.patients.by_key(restored.root_key)
    tx.patients.point(restored, None)
    below = _subtree(tx, restored.key)
    tx.patients.put_root(below, restored.key)
    tx.patients.touch([restored.root_key, *below[1:]])
    record(tx, caller, "patients.unmerge", f"Patient/{public_id}")
    tx.events.append(PatientsUnmerged(survivor.public_id if survivor else "", public_id), caller.trace)
    return _existing(tx, public_id)


def read(
    tx: PatientsTransaction, caller: Caller, public_id: str
) -> tuple[PatientRecord, list[PatientRecord]]:
    """Return a record and all records linked to it, root first."""
    policy.demand(caller, Permission.PATIENTS_READ)
    found = _existing(tx, public_id)
    return found, tx.patients.linked(found.root_key)


def find(tx: PatientsTransaction, caller: Caller, query: PatientQuery) -> tuple[list[PatientRecord], int]:
    """Return one page of records, and how many there are."""
    policy.demand(caller, Permission.PATIENTS_READ)
    return tx.patients.find(query), tx.patients.count(query)


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


def _with_default_issuer(caller: Caller, identifier: Identifier) -> Identifier:
    if identifier.issuer or not caller.default_issuer:
        return identifier
    return replace(identifier, issuer=caller.default_issuer)


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


def _join(tx: PatientsTransaction, caller: Caller, records: list[PatientRecord]) -> None:
    """Link the records that one message names for one person, unless they already belong to two persons."""
    first = records[0]
    for other in records[1:]:
        if other.root_key == other.key and not tx.patients.pointing_at(other.key) and other.version == 1:
            _point(tx, caller, other, first)


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
