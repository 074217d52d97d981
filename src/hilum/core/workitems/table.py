"""PS3.4 Table CC.2.5-3 (edition 2024e): what a workitem must have when created, changed and ended."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Final(StrEnum):
    """Final State Codes, PS3.4 Table CC.2.5-1. RC ("if known") cannot be judged from here, and is O."""

    REQUIRED = "R"
    IF_COMPLETED = "P"
    IF_CANCELED = "X"
    OPTIONAL = "O"


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute: requirement types of N-CREATE and N-SET (SCU), and the final state code.

    Types are 1, 2, 3; N-CREATE `0` must be empty; `""` is not allowed.
    """

    tag: str
    keyword: str
    vr: str
    create: str
    change: str
    final: Final = Final.OPTIONAL


TRANSACTION_UID = "00081195"
SOP_CLASS_UID, SOP_INSTANCE_UID = "00080016", "00080018"
MODIFIED = "00404010"
STATE, READINESS = "00741000", "00404041"
PROGRESS, PERFORMED = "00741002", "00741216"
STATION_NAMES, HUMAN_PERFORMERS = "00404025", "00404034"
SCHEDULED_START = "00404005"
WORKLIST_LABEL, PROCEDURE_STEP_LABEL, PRIORITY = "00741202", "00741204", "00741200"
CANCELLATION_TIME, DISCONTINUATION_REASON, CANCELLATION_REASON = "00404052", "0074100E", "00741238"
CONTACT_URI, CONTACT_NAME = "0074100A", "0074100C"
PROGRESS_TELLING = ("00741004", "00741006", "00741008")
"""Procedure Step Progress, its description, and the communication URIs: their change is reported (CC.2.4.3)."""

_R, _P, _X, _O = Final.REQUIRED, Final.IF_COMPLETED, Final.IF_CANCELED, Final.OPTIONAL

# fmt: off
ROWS = (
    Row(TRANSACTION_UID, "TransactionUID", "UI", "0", "3"),
    Row(SCHEDULED_START, "ScheduledProcedureStepStartDateTime", "DT", "1", "1", _R),
    Row("00404018", "ScheduledWorkitemCodeSequence", "SQ", "2", "1"),
    Row("00400400", "CommentsOnTheScheduledProcedureStep", "LT", "2", "1"),
    Row(READINESS, "InputReadinessState", "CS", "1", "1", _R),
    Row("00404021", "InputInformationSequence", "SQ", "2", "2"),
    Row(STATION_NAMES, "ScheduledStationNameCodeSequence", "SQ", "2", "2"),
    Row("00404026", "ScheduledStationClassCodeSequence", "SQ", "2", "2"),
    Row("00404027", "ScheduledStationGeographicLocationCodeSequence", "SQ", "2", "2"),
    Row(HUMAN_PERFORMERS, "ScheduledHumanPerformersSequence", "SQ", "3", "2"),
    Row("00404011", "ExpectedCompletionDateTime", "DT", "3", "1"),
    Row(PRIORITY, "ScheduledProcedureStepPriority", "CS", "1", "1", _R),
    Row(WORKLIST_LABEL, "WorklistLabel", "LO", "2", "1", _R),
    Row(PROCEDURE_STEP_LABEL, "ProcedureStepLabel", "LO", "1", "1", _R),
    Row("00741210", "ScheduledProcessingParametersSequence", "SQ", "2", "2"),
    Row(MODIFIED, "ScheduledProcedureStepModificationDateTime", "DT", "3", "3", _R),
    Row("0020000D", "StudyInstanceUID", "UI", "3", "2"),
    Row("00100010", "PatientName", "PN", "2", ""),
    Row("00100020", "PatientID", "LO", "3", ""),
    Row("00100021", "IssuerOfPatientID", "LO", "3", ""),
    Row("00100024", "IssuerOfPatientIDQualifiersSequence", "SQ", "3", ""),
    Row("00100030", "PatientBirthDate", "DA", "2", ""),
    Row("00100040", "PatientSex", "CS", "2", ""),
    Row("00380010", "AdmissionID", "LO", "2", ""),
    Row("00380014", "IssuerOfAdmissionIDSequence", "SQ", "2", ""),
    Row("00081080", "AdmittingDiagnosesDescription", "LO", "2", ""),
    Row("00081084", "AdmittingDiagnosesCodeSequence", "SQ", "2", ""),
    Row("0040A370", "ReferencedRequestSequence", "SQ", "2", ""),
    Row("00741224", "ReplacedProcedureStepSequence", "SQ", "3", ""),
    Row(STATE, "ProcedureStepState", "CS", "1", "", _R),
    Row(PROGRESS, "ProcedureStepProgressInformationSequence", "SQ", "0", "2", _X),
    Row(PERFORMED, "UnifiedProcedureStepPerformedProcedureSequence", "SQ", "0", "2", _P),
)
PERFORMED_ROWS = (
    Row("00404028", "PerformedStationNameCodeSequence", "SQ", "", "2", _P),
    Row("00404050", "PerformedProcedureStepStartDateTime", "DT", "", "1", _P),
    Row("00404019", "PerformedWorkitemCodeSequence", "SQ", "", "1", _P),
    Row("00404051", "PerformedProcedureStepEndDateTime", "DT", "", "1", _P),
)
"""What an item of the Performed Procedure Sequence must have at the end. Output Information (0040,4033) may be empty."""
OUTPUT_INFORMATION = Row("00404033", "OutputInformationSequence", "SQ", "", "2", _P)
# fmt: on

BY_TAG = MappingProxyType({row.tag: row for row in ROWS})

READINESS_STATES = frozenset({"READY", "UNAVAILABLE", "INCOMPLETE"})
PRIORITIES = frozenset({"HIGH", "MEDIUM", "LOW"})
"""PS3.3 C.30.1: enumerated values."""

UNSPECIFIED_REASON = MappingProxyType(
    {
        "00080100": {"vr": "SH", "Value": ["110513"]},
        "00080102": {"vr": "SH", "Value": ["DCM"]},
        "00080104": {"vr": "LO", "Value": ["Discontinued for unspecified reason"]},
    }
)
"""PS3.16 CID 9300: for a workitem that is canceled without a reason."""
