"""What a service may use while it handles one message."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydicom.dataset import Dataset

from hilum.core.access.model import Peer
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller
from hilum.core.kernel.errors import HilumError, Invalid
from hilum.core.routing.model import Receipt
from hilum.core.routing.ports import Courier
from hilum.doors.dimse.extended import NO_OPTIONS, Options
from hilum.doors.dimse.failures import Service, comment_of, status_of
from hilum.transport.dicom import Association
from hilum.wire.dicom.assumption import Assumption
from hilum.wire.dicom.data_sets import MOST_BYTES, decoded, encoded
from hilum.wire.dicom.dimse.messages import Command, Request
from hilum.wire.dicom.dimse.respond import respond
from hilum.wire.dicom.elements import DataSet as ReadDataSet
from hilum.wire.dicom.frame_work import FrameWorker
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext, Supported


class Destination(Courier, Protocol):
    """A courier that can be told beforehand what comes, and be stopped from outside."""

    def expect(self, kinds: Iterable[tuple[str, str]]) -> Receipt | None:
        """Associate for these (SOP class, transfer syntax as stored); return why there is no association."""

    def cut(self) -> None:
        """End the association at once, from another thread."""


OpenDestination = Callable[[Peer, str, int], Destination]
"""Gives the courier of a move destination: peer, AE title and message ID of who asked to move."""


@dataclass(slots=True)
class Session:
    """One association with its caller, its hub, and the message under way."""

    hub: Hub
    caller: Caller
    association: Association
    ae_title: str
    """Ours: where what we answer can be retrieved."""
    peer_ae_title: str
    open_destination: OpenDestination
    frame_worker: FrameWorker
    most_answers: int
    longest_instance: int
    sub_associations: int
    """How many associations one C-MOVE may hold with its destination at once."""
    pending_interval: float
    """Seconds between two pending responses of a retrieval, at least."""
    supported: Mapping[str, Supported]
    """What an association may agree on."""
    reports_under_way: dict[int, str] = field(default_factory=dict)
    """Storage commitment reports sent on this association: message ID to transaction UID."""
    options: dict[str, Options] = field(default_factory=dict)
    """What extended negotiation agreed on, by SOP class."""
    _fragments: Iterator[memoryview] | None = None

    def options_of(self, context: AcceptedContext) -> Options:
        """Return what was agreed on for the SOP class of a context."""
        return self.options.get(context.abstract_syntax, NO_OPTIONS)

    @property
    def assumption(self) -> Assumption:
        """Return what is known of the character set of this peer."""
        options = self.caller.options
        return Assumption(options.character_set, options.assumed_character_set)

    def identifier(self, context: AcceptedContext) -> ReadDataSet:
        """Return the identifier of a query or retrieval, as the peer means it."""
        return self.assumption.applied(decoded(self.data_set(), context.transfer_syntax))

    def begin(self, command: Command) -> None:
        """Take up a message."""
        self._fragments = self.association.fragments() if command.has_data_set else None

    def fragments(self) -> Iterator[memoryview]:
        """Yield the data set as it arrives."""
        return self._fragments or iter(())

    def skip_data_set(self) -> None:
        """Read what is left of the data set, so that the next message is found."""
        for _ in self.fragments():
            pass

    def data_set(self) -> bytes:
        """Return the whole data set of a message that is no object; raises Invalid when it is too long."""
        gathered = bytearray()
        for fragment in self.fragments():
            gathered += fragment
            if len(gathered) > MOST_BYTES:
                raise Invalid(f"the data set of this message is longer than {MOST_BYTES} octets")
        return bytes(gathered)

    def respond(
        self,
        context: AcceptedContext,
        request: Request,
        status: int,
        data_set: Dataset | None = None,
        **fields: Any,  # noqa: ANN401  # the response's own fields, by keyword
    ) -> None:
        """Answer, once the request is read to its end."""
        self.skip_data_set()
        response = respond(request, status, has_data_set=data_set is not None, **fields)
        octets = encoded(data_set, context.transfer_syntax) if data_set is not None else None
        self.association.send(context.context_id, response, octets)

    def refuse(self, context: AcceptedContext, request: Request, service: Service, error: HilumError) -> None:
        """Answer with the status and comment of an error."""
        self.respond(context, request, status_of(service, error), ErrorComment=comment_of(error.what))
