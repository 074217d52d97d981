"""The second PACS: takes what it is sent, and tells the play what it has."""

import socketserver
import sys
import threading
from typing import Any

from hilum.demo.actors import act
from hilum.transport.dicom import Association, AssociationEnded, Timers
from hilum.wire.dicom.dimse.messages import CEchoRequest, Command, CStoreRequest
from hilum.wire.dicom.dimse.respond import respond
from hilum.wire.dicom.dimse.status import Status
from hilum.wire.dicom.sop_classes import STORAGE_SOP_CLASSES
from hilum.wire.dicom.transfer_syntaxes import TRANSFER_SYNTAXES
from hilum.wire.dicom.upper_layer.errors import ProtocolError
from hilum.wire.dicom.upper_layer.events import AssociateRequested
from hilum.wire.dicom.upper_layer.limits import Limits
from hilum.wire.dicom.upper_layer.negotiation import Supported, negotiate
from hilum.wire.dicom.upper_layer.states import Role

_VERIFICATION = "1.2.840.10008.1.1"
_SUPPORTED = dict.fromkeys((_VERIFICATION, *STORAGE_SOP_CLASSES), Supported(tuple(TRANSFER_SYNTAXES)))
_RECEIVED: dict[str, dict[str, Any]] = {}


class Receiver(socketserver.BaseRequestHandler):
    """One association."""

    def handle(self) -> None:
        """Answer until the peer leaves."""
        association = Association(self.request, Role.ACCEPTOR, Limits(), Timers())
        try:
            event = association.next_event()
            if isinstance(event, AssociateRequested):
                accept = negotiate(event.request, _SUPPORTED)
                association.write(association.connection.send_associate_accept(accept))
                while True:
                    self._answer(association, event.request.calling_ae_title)
        except AssociationEnded:
            association.close()
        except ProtocolError as error:
            association.abort(error)

    def _answer(self, association: Association, sender: str) -> None:
        received = association.next_message()
        octets = sum(len(piece) for piece in association.fragments()) if received.command.has_data_set else 0
        status = self._keep(received.command, sender, octets)
        if isinstance(received.command, CStoreRequest | CEchoRequest):
            association.send(received.context_id, respond(received.command, status))

    def _keep(self, command: Command, sender: str, octets: int) -> int:
        if isinstance(command, CStoreRequest):
            _RECEIVED[command.AffectedSOPInstanceUID] = {"sender": sender, "octets": octets}
        return Status.SUCCESS


class Listener(socketserver.ThreadingTCPServer):
    """Where the PACS listens."""

    daemon_threads = True


def received() -> dict[str, Any]:
    """Return what was received so far, by SOP Instance UID."""
    return {"instances": dict(_RECEIVED)}


def main() -> None:
    """Listen on the port of the argument, 0 for any free one, and do what the play asks."""
    with Listener(("127.0.0.1", int(sys.argv[1])), Receiver) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        act({"received": received}, port=listener.server_address[1])


if __name__ == "__main__":
    main()
