"""The summary of a series: the metadata of all its instances, deflated once, and where their frames are.

It is made from the stored bytes and may be removed at any time. In the kept form three parts follow each other, so that
one can be read without the others: a head (JSON, deflated), the frames (binary, deflated) and the metadata (`slotted`).
"""

import json
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import cached_property
from itertools import pairwise
from struct import Struct
from typing import Any, BinaryIO

from hilum.core.archive.lifecycle import Damaged
from hilum.core.archive.model import Retrieved
from hilum.core.kernel.errors import Invalid, NotFound
from hilum.wire.dicom.described import Described, FramesAt, Runs, described, object_of, shown_runs
from hilum.wire.dicom.elements import Element
from hilum.wire.dicom.frame_tables import FrameSpans, FrameTable, ImagePixel
from hilum.wire.dicom.slotted import OPEN, Slotted, slotted

_MAGIC = b"HILUMSS1"
_LENGTHS = Struct("<8sQQQ")
_MOST_OCTETS = 1 << 30
"""A head, or frames, that inflate to more than this are not ours."""


@dataclass(frozen=True)
class SeriesSummary:
    """What is kept of a series, as of the instances that it names."""

    study_instance_uid: str
    digests: tuple[str, ...]
    patients: tuple[Runs, ...]
    """The different patients that the instances were received with: second and fourth run, the others empty."""
    cuts: tuple[tuple[int, ...], ...]
    """Lengths of the five runs of each instance."""
    metadata: Slotted
    unreadable: tuple[str, ...]
    """Digests of instances that could not be read: they are in no other field."""
    frames: tuple[FramesAt | None, ...]

    def is_shown_as(self, instances: Sequence[Retrieved]) -> bool:
        """Tell whether `metadata` is what a reader is shown of exactly these instances: each with its own patient."""
        readable = {one.instance.blob.digest for one in instances}.difference(self.unreadable)
        persons = {one.patient.key: one.patient for one in instances if one.patient is not None}
        return readable == set(self.digests) and all(
            shown_runs(runs, person, "") is runs for person in persons.values() for runs in self.patients
        )

    def knows_any(self, instances: Sequence[Retrieved]) -> bool:
        """Tell whether any of the instances could be read."""
        return not {one.instance.blob.digest for one in instances} <= set(self.unreadable)

    @cached_property
    def described(self) -> dict[str, Described]:
        """Every instance by its digest; the metadata is inflated for it."""
        text, at, found = self.metadata.text(), 0, {}
        for digest, lengths, frames in zip(self.digests, self.cuts, self.frames, strict=True):
            at += 1  # the brace
            runs = []
            for length in lengths:
                runs.append(text[at : at + length])
                at += length + bool(length)  # and a comma, or the other brace
            found[digest] = Described(digest, (runs[0], runs[1], runs[2], runs[3], runs[4]), frames)
            at += 1 if any(lengths) else 2  # the comma between
        return found

    def text_of(self, instances: Sequence[Retrieved]) -> bytes:
        """Return those of the instances that could be read as JSON objects with commas between, as they are shown."""
        readable = [one for one in instances if one.instance.blob.digest in self.described]
        return b",".join(instance_text(self.described[one.instance.blob.digest], one) for one in readable)


def instance_text(known: Described, one: Retrieved) -> bytes:
    """Return the JSON object of an instance as one reader is shown it, the address of the service open."""
    runs = known.runs
    if one.patient is not None:
        runs = shown_runs(runs, one.patient, one.instance.source)
    return object_of(runs)


def summary_of(
    study_instance_uid: str, instances: Sequence[Described], unreadable: tuple[str, ...] = ()
) -> SeriesSummary:
    """Summarise instances."""
    text = b",".join(object_of(one.runs) for one in instances)
    received = {(one.runs[1], one.runs[3]) for one in instances}
    return SeriesSummary(
        study_instance_uid=study_instance_uid,
        digests=tuple(one.digest for one in instances),
        patients=tuple((b"", person, b"", originals, b"") for person, originals in sorted(received)),
        cuts=tuple(tuple(map(len, one.runs)) for one in instances),
        metadata=slotted(text.split(OPEN)),
        unreadable=unreadable,
        frames=tuple(one.frames for one in instances),
    )


def updated_summary(
    instances: Sequence[Retrieved], known: Mapping[str, Described], open_blob: Callable[[str], BinaryIO]
) -> SeriesSummary:
    """Summarise a series, reading only what is not known yet; an instance that cannot be read is left out."""
    found = [known.get(one.instance.blob.digest) or _read(one, open_blob) for one in instances]
    digests = [one.instance.blob.digest for one in instances]
    unreadable = tuple(digest for digest, one in zip(digests, found, strict=True) if one is None)
    return summary_of(instances[0].study_instance_uid, [one for one in found if one is not None], unreadable)


def _read(one: Retrieved, open_blob: Callable[[str], BinaryIO]) -> Described | None:
    try:
        with open_blob(one.instance.blob.digest) as file:
            return described(one, file)
    except (Damaged, Invalid, NotFound):
        return None  # who asks for it is told why


def written_summary(summary: SeriesSummary) -> bytes:
    """Return the kept form."""
    head = {
        "study": summary.study_instance_uid,
        "digests": summary.digests,
        "patients": [
            [one.decode("latin-1"), other.decode("latin-1")] for _, one, _, other, _ in summary.patients
        ],
        "cuts": summary.cuts,
        "unreadable": summary.unreadable,
        "text": [summary.metadata.crc, summary.metadata.size, summary.metadata.places],
    }
    parts = [
        zlib.compress(json.dumps(head).encode("ascii")),
        zlib.compress(_written_frames(summary.frames), 9),
    ]
    lengths = _LENGTHS.pack(_MAGIC, len(parts[0]), len(parts[1]), len(summary.metadata.deflated))
    return b"".join([lengths, *parts, summary.metadata.deflated])


def read_summary(file: BinaryIO) -> SeriesSummary:
    """Read the kept form; raises Invalid when it is damaged or of another version."""
    with _understanding():
        lengths = _lengths(file)
        head, frames, deflated = (file.read(length) for length in lengths)
        return _summary(json.loads(_inflated(head)), _inflated(frames), deflated)


def read_frames(file: BinaryIO) -> dict[str, FramesAt | None]:
    """Read only where frames are, by the digest of the instance; raises Invalid as `read_summary` does."""
    with _understanding():
        lengths = _lengths(file)
        head, frames = (file.read(length) for length in lengths[:2])
        digests: list[str] = json.loads(_inflated(head))["digests"]
        return dict(zip(digests, _read_frames(_inflated(frames)), strict=True))


@contextmanager
def _understanding() -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError, zlib.error) as error:
        raise Invalid("a kept series summary cannot be read", peer_said=type(error).__name__) from error


def _lengths(file: BinaryIO) -> tuple[int, ...]:
    begin = file.read(_LENGTHS.size)
    if len(begin) < _LENGTHS.size:
        raise ValueError(begin)
    magic, *lengths = _LENGTHS.unpack(begin)
    if magic != _MAGIC:
        raise ValueError(magic)
    return tuple(lengths)


def _summary(head: dict[str, Any], frames: bytes, deflated: bytes) -> SeriesSummary:
    crc, size, places = head["text"]
    return SeriesSummary(
        study_instance_uid=head["study"],
        digests=tuple(head["digests"]),
        patients=tuple(
            (b"", one.encode("latin-1"), b"", other.encode("latin-1"), b"") for one, other in head["patients"]
        ),
        cuts=tuple(map(tuple, head["cuts"])),
        metadata=Slotted(deflated, crc, size, places),
        unreadable=tuple(head["unreadable"]),
        frames=tuple(_read_frames(frames)),
    )


def _inflated(part: bytes) -> bytes:
    inflater = zlib.decompressobj()
    inflated = inflater.decompress(part, _MOST_OCTETS)
    if not inflater.eof:
        raise ValueError("too long")
    return inflated


def _written_frames(instances: Iterable[FramesAt | None]) -> bytes:
    """Write a line of JSON, then the offsets and lengths of all fragments as 64-bit numbers."""
    lines: list[Any] = []
    numbers = array("Q")
    for frames in instances:
        lines.append(None if frames is None else _frames_line(frames))
        if frames is not None and frames.table.spans is not None:
            spans = frames.table.spans
            numbers.extend(spans.first)
            numbers.extend(spans.offsets)
            numbers.extend(spans.lengths)
    return json.dumps(lines).encode("ascii") + b"\n" + numbers.tobytes()


def _frames_line(frames: FramesAt) -> list[Any]:
    table, element = frames.table, frames.table.element
    counts = [0, 0] if table.spans is None else [len(table.spans.first), len(table.spans.offsets)]
    place = [element.tag, element.vr, element.offset, element.length, element.big_endian]
    return [frames.transfer_syntax_uid, frames.data_set_offset, astuple(table.image), place, counts]


def _read_frames(written: bytes) -> Iterator[FramesAt | None]:
    line, _, packed = written.partition(b"\n")
    numbers = array("Q")
    numbers.frombytes(packed)
    at = 0
    for one in json.loads(line):
        if one is None:
            yield None
            continue
        syntax, offset, image, (tag, vr, place, length, big_endian), (first, fragments) = one
        spans = None
        if first:
            ends = (at, at + first, at + first + fragments, at + first + 2 * fragments)
            spans = FrameSpans(*(numbers[start:end] for start, end in pairwise(ends)))
            at = ends[-1]
        element = Element(tag, vr, place, length, b"", None, big_endian)
        yield FramesAt(syntax, offset, FrameTable(ImagePixel(*image), element, spans))
