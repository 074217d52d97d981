"""News of the archive."""

from dataclasses import dataclass

from hilum.core.kernel.events import Event


@dataclass(frozen=True)
class InstanceStored(Event):
    """An instance was stored: what routing rules may ask about."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    modality: str
    source: str


@dataclass(frozen=True)
class ConflictKept(Event):
    """Something that contradicts what is kept was set aside."""

    kind: str
    sop_instance_uid: str


@dataclass(frozen=True)
class InstancesRejected(Event):
    """Instances of one study went out of sight (IHE RAD-66); `note_uid` is empty where there is no rejection note."""

    study_instance_uid: str
    series_instance_uids: tuple[str, ...]
    sop_instance_uids: tuple[str, ...]
    reason: str
    note_uid: str


@dataclass(frozen=True)
class InstancesRestored(Event):
    """Instances of one study are in use again, unless another rejection holds for them."""

    study_instance_uid: str
    series_instance_uids: tuple[str, ...]
    sop_instance_uids: tuple[str, ...]


@dataclass(frozen=True)
class InstancesDeleted(Event):
    """Instances of one study are gone for good; tombstones tell of them."""

    study_instance_uid: str
    series_instance_uids: tuple[str, ...]
    sop_instance_uids: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class InstanceReplaced(Event):
    """Other bytes are in use for an instance: it was sent again by a peer that may replace, or a person chose them."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    digest: str


@dataclass(frozen=True)
class ConflictResolved(Event):
    """A person decided about a conflict, or took the decision back (`resolution` is empty then)."""

    kind: str
    study_instance_uid: str
    sop_instance_uid: str
    resolution: str


@dataclass(frozen=True)
class StudyReassigned(Event):
    """A study shows under another patient."""

    study_instance_uid: str
