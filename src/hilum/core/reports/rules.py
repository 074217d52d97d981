"""Which version of a report may follow which."""

from hilum.core.reports.model import Report, ReportRequest, ReportStatus

_UNFINISHED = frozenset({ReportStatus.REGISTERED, ReportStatus.PARTIAL, ReportStatus.PRELIMINARY})
_FINISHED = frozenset({ReportStatus.FINAL, ReportStatus.AMENDED, ReportStatus.CORRECTED})


def comes_too_late(status: ReportStatus, newest: Report) -> bool:
    """Tell whether an unfinished version arrives after a finished one: a late preliminary never hides a final."""
    return status in _UNFINISHED and newest.status in _FINISHED


def says_the_same(request: ReportRequest, newest: Report) -> bool:
    """Tell whether the request repeats the newest version."""
    fields = (
        "status",
        "code",
        "text",
        "conclusion",
        "observations",
        "attachments",
        "study_instance_uid",
        "interpreter",
    )
    mine = [
        getattr(request, name)
        for name in fields
        if name != "study_instance_uid" or request.study_instance_uid
    ]
    kept = [
        getattr(newest, name) for name in fields if name != "study_instance_uid" or request.study_instance_uid
    ]
    return mine == kept
