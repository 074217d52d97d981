"""The summaries of series: read where they are kept, made from the stored bytes where they are missing or old."""

from collections.abc import Mapping

from hilum.core.archive.lifecycle import Damaged
from hilum.core.archive.model import Retrieved
from hilum.core.hub import Hub
from hilum.core.kernel.errors import Invalid, NotFound
from hilum.wire.dicom.described import Described
from hilum.wire.dicom.series_summary import SeriesSummary, read_summary, updated_summary, written_summary


class Summaries:
    """One for the door; another makes them in the background."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def refresh(self, series_instance_uid: str) -> None:
        """Make the summary of a series agree with what is kept of it now; what was read before is not read again."""
        instances = self._hub.instances_of_series(series_instance_uid)
        if instances:
            self._refreshed(instances, self._kept(series_instance_uid))
        else:
            self._hub.keep_summary(series_instance_uid, None)

    def of(self, shown: list[Retrieved]) -> SeriesSummary:
        """Return a summary that knows all of these instances of one series; others may be in it.

        For one instance of a series that was not summarised yet its own bytes are read, and nothing is kept.
        """
        series_instance_uid = shown[0].series_instance_uid
        kept = self._kept(series_instance_uid)
        if kept is not None and _knows(kept, shown):
            return kept
        if len(shown) == 1:
            return updated_summary(shown, {}, self._hub.open_blob)
        everything = {_digest(one): one for one in self._hub.instances_of_series(series_instance_uid)}
        return self._refreshed(list({**everything, **{_digest(one): one for one in shown}}.values()), kept)

    def _kept(self, series_instance_uid: str) -> SeriesSummary | None:
        kept = self._hub.summary(series_instance_uid)
        if kept is None:
            return None
        try:
            with self._hub.open_blob(kept.blob.digest) as file:
                return read_summary(file)
        except (Damaged, Invalid, NotFound):
            return None  # removed, damaged, or of another version: it is made anew

    def _refreshed(self, instances: list[Retrieved], kept: SeriesSummary | None) -> SeriesSummary:
        if kept is not None and _knows(kept, instances) and len(instances) == _size(kept):
            return kept
        same_study = kept is not None and kept.study_instance_uid == instances[0].study_instance_uid
        known: Mapping[str, Described] = kept.described if kept is not None and same_study else {}
        made = updated_summary(instances, known, self._hub.open_blob)
        spool = self._hub.spool()
        try:
            spool.write(written_summary(made))
            self._hub.keep_summary(instances[0].series_instance_uid, spool)
        finally:
            spool.discard()
        return made


def _knows(kept: SeriesSummary, instances: list[Retrieved]) -> bool:
    known = {*kept.digests, *kept.unreadable}
    study = kept.study_instance_uid
    return all(_digest(one) in known and one.study_instance_uid == study for one in instances)


def _size(kept: SeriesSummary) -> int:
    return len(kept.digests) + len(kept.unreadable)


def _digest(one: Retrieved) -> str:
    return one.instance.blob.digest
