"""Storage commitment where the answer is the report: DICOMweb (PS3.18 13)."""

from hilum.core.access import policy
from hilum.core.archive.model import Commitment, ReferencedInstance
from hilum.core.archive.ports import ArchiveTransaction, Objects
from hilum.core.archive.usecases import commitment, commitment_reported, request_commitment
from hilum.core.audit.usecases import record
from hilum.core.kernel.caller import Caller, Permission
from hilum.core.kernel.errors import Conflict, NotFound


def commit_at_once(
    tx: ArchiveTransaction,
    caller: Caller,
    transaction_uid: str,
    references: tuple[ReferencedInstance, ...],
    objects: Objects,
) -> Commitment:
    """Judge a storage commitment whose answer is its report (PS3.18 13.4); raises Conflict where its UID is in use."""
    policy.demand(caller, Permission.ARCHIVE_COMMIT)
    if tx.archive.commitment(transaction_uid) is not None:
        raise Conflict("this transaction UID is in use", next_step="ask again under another transaction UID")
    judged = request_commitment(tx, caller, caller.ae_title, transaction_uid, references, objects)
    commitment_reported(tx, transaction_uid)
    return judged


def own_commitment(tx: ArchiveTransaction, caller: Caller, transaction_uid: str) -> Commitment:
    """Return a storage commitment to who asked for it (PS3.18 13.5); raises NotFound."""
    policy.demand(caller, Permission.ARCHIVE_COMMIT)
    kept = commitment(tx, transaction_uid)
    if kept.peer != (caller.peer or caller.name):
        raise NotFound("no such storage commitment transaction")
    record(tx, caller, "archive.read", f"StorageCommitment/{transaction_uid}")
    return kept
