"""Two connections of ours, joined without a network."""

from collections.abc import Callable

import pytest

from hilum.wire.dicom.upper_layer.connection import Connection
from hilum.wire.dicom.upper_layer.limits import Limits
from hilum.wire.dicom.upper_layer.negotiation import Supported, negotiate, propose
from hilum.wire.dicom.upper_layer.states import Role

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"


@pytest.fixture
def associate() -> Callable[..., tuple[Connection, Connection]]:
    """An established (acceptor, requestor), with the limits of the acceptor."""

    def open_association(limits: Limits | None = None) -> tuple[Connection, Connection]:
        limits = limits or Limits()
        acceptor, requestor = Connection(Role.ACCEPTOR, limits), Connection(Role.REQUESTOR)
        acceptor.receive(requestor.send_associate_request(propose("HILUM", "CT1", [(CT, [EXPLICIT])])))
        requested = acceptor.next_event()
        accept = negotiate(requested.request, {CT: Supported((EXPLICIT,))}, limits=limits)
        requestor.receive(acceptor.send_associate_accept(accept))
        requestor.next_event()
        return acceptor, requestor

    return open_association
