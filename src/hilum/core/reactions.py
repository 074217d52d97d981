"""What happens next: event -> calls, one case each."""

from hilum.core.archive import chores, rejection
from hilum.core.archive.events import InstancesRejected, InstanceStored
from hilum.core.exchange.ports import ExchangeTransaction
from hilum.core.hub import Hub
from hilum.core.kernel.events import Recorded
from hilum.core.orders.events import ProcedureStepReported
from hilum.core.reports.events import ReportFiled
from hilum.core.routing import announcing
from hilum.core.routing import usecases as routing
from hilum.core.workitems.events import WorkitemReported


def react(hub: Hub, limit: int) -> int:
    """React to the oldest waiting events in one transaction; returns how many there were."""

    def work(tx: ExchangeTransaction) -> int:
        waiting = tx.events.waiting(limit)
        for recorded in waiting:
            _react_to(hub, tx, recorded)
        chores.follow(tx, [recorded.event for recorded in waiting])
        tx.events.settle([recorded.sequence for recorded in waiting])
        return len(waiting)

    return hub.transact(work)


def _react_to(hub: Hub, tx: ExchangeTransaction, recorded: Recorded) -> None:
    match recorded.event:
        case InstanceStored() as stored:
            routing.plan_instance(tx, stored, recorded.trace, hub.read_tags)
            announcing.follow(tx, stored)
        case InstancesRejected() as rejected:
            rejection.recount(tx, rejected.study_instance_uid)
        case ProcedureStepReported() as reported:
            routing.plan_procedure_step(tx, reported, recorded.trace)
        case ReportFiled() as filed:
            routing.plan_report(tx, filed, recorded.trace)
        case WorkitemReported() as reported:
            routing.plan_workitem_reports(tx, reported, recorded.trace)
        case _:
            """News for watchers only."""
