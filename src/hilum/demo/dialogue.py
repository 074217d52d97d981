"""One association of a demonstration peer, as requestor: requests out, responses and their data sets in."""

import socket
from collections.abc import Sequence
from io import BytesIO
from types import TracebackType
from typing import Any, Self

from pydicom import Dataset
from pydicom.filereader import read_dataset

from hilum.core.kernel.errors import Busy, Refused
from hilum.transport.dicom import Association, AssociationEnded, Timers
from hilum.wire.dicom.data_sets import encoded
from hilum.wire.dicom.dimse.messages import Command
from hilum.wire.dicom.dimse.status import Category, look_up
from hilum.wire.dicom.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from hilum.wire.dicom.upper_layer.events import AssociateAccepted, AssociateRejected
from hilum.wire.dicom.upper_layer.limits import Limits
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext, find_context, propose
from hilum.wire.dicom.upper_layer.states import Role

UNCOMPRESSED = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)

Answer = tuple[Any, Dataset | None]
"""A response, and the data set that came with it."""


class Dialogue:
    """An open association; leaving the `with` releases it."""

    def __init__(
        self, host: str, port: int, called: str, calling: str, contexts: Sequence[tuple[str, Sequence[str]]]
    ) -> None:
        """Open the association; raises Busy when nobody answers, Refused when it is rejected."""
        try:
            transport = socket.create_connection((host, port), timeout=10)
        except OSError as error:
            raise Busy(f"{called} at {host}:{port} does not answer", peer_said=str(error)) from error
        self._association = Association(transport, Role.REQUESTOR, Limits(), Timers())
        request = propose(called, calling, contexts)
        self._association.write(self._association.connection.send_associate_request(request))
        event = self._association.next_event()
        if isinstance(event, AssociateRejected):
            self._association.close()
            raise Refused(f"{called} rejected the association", peer_said=event.reject.meaning)
        if not isinstance(event, AssociateAccepted):
            self._association.close()
            raise Busy(f"{called} did not answer the association request")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the association, or abort it after a failure."""
        if error is not None:
            self._association.abort()
            return
        try:
            self._association.write(self._association.connection.send_release_request())
            self._association.next_message()
        except AssociationEnded:
            pass  # released, or gone: either way it is over
        finally:
            self._association.close()

    def next_message_id(self) -> int:
        """Return a message ID."""
        return self._association.next_message_id()

    def context(self, abstract_syntax: str, transfer_syntax: str | None = None) -> AcceptedContext:
        """Return the accepted context; raises Refused when the peer does not offer the service."""
        found = find_context(self._association.connection.contexts, abstract_syntax, transfer_syntax)
        if found is None:
            raise Refused(
                f"the peer does not accept {abstract_syntax} in {transfer_syntax or 'any encoding'}"
            )
        return found

    def request(
        self, abstract_syntax: str, command: Command, data_set: Dataset | None = None
    ) -> list[Answer]:
        """Send a request and return its responses, up to the last (PS3.7 9.3: pending ones come before it)."""
        context = self.context(abstract_syntax)
        octets = encoded(data_set, context.transfer_syntax) if data_set is not None else None
        self._association.send(context.context_id, command, octets)
        answers = [self.receive()]
        while look_up(answers[-1][0].Status).category is Category.PENDING:
            answers.append(self.receive())
        return answers

    def store(self, context: AcceptedContext, command: Command, octets: bytes) -> int:
        """C-STORE an encoded data set, and return the status."""
        self._association.send(context.context_id, command, octets)
        return int(self.receive()[0].Status)

    def answer(self, abstract_syntax: str, response: Command) -> None:
        """Answer a request that the peer sent."""
        self._association.send(self.context(abstract_syntax).context_id, response)

    def receive(self) -> Answer:
        """Return the next message with its data set; raises Busy when the peer left."""
        try:
            received = self._association.next_message()
            if not received.command.has_data_set:
                return received.command, None
            octets = b"".join(bytes(piece) for piece in self._association.fragments())
        except AssociationEnded as ended:
            raise Busy("the association ended before the answer", peer_said=ended.how) from ended
        implicit = (
            self._association.connection.contexts[received.context_id].transfer_syntax
            == IMPLICIT_VR_LITTLE_ENDIAN
        )
        return received.command, read_dataset(BytesIO(octets), implicit, is_little_endian=True)
