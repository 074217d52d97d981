"""Write the trail."""

from hilum.core.audit.model import AuditEntry, Outcome
from hilum.core.audit.ports import AuditTransaction
from hilum.core.kernel.caller import Caller


def record(
    tx: AuditTransaction,
    caller: Caller,
    action: str,
    entity: str,
    *,
    outcome: Outcome = Outcome.SUCCESS,
    detail: str = "",
) -> None:
    """Write one entry: who did what to which object (PS3.15 A.5.3)."""
    tx.audit.append(
        AuditEntry(
            action=action,
            outcome=outcome,
            caller=caller.name,
            caller_kind=caller.kind,
            address=caller.address,
            entity=entity,
            trace=caller.trace,
            detail=detail,
            occurred=tx.now,
        )
    )
