"""The EHR/RIS: sends HL7 messages over MLLP, and receives what Hilum sends."""

import base64
import socketserver
import threading
from datetime import UTC, datetime
from typing import Any

from hilum.core.access.model import Peer, PeerKind
from hilum.couriers.mllp import MllpCourier
from hilum.demo.actors import act
from hilum.wire.hl7v2.ack import Outcome, acknowledge, header_of
from hilum.wire.hl7v2.message import Message
from hilum.wire.hl7v2.mllp import Framer, frame

_RECEIVED: list[dict[str, str]] = []


class Receiver(socketserver.BaseRequestHandler):
    """One connection: every message is kept and acknowledged."""

    def handle(self) -> None:
        """Read blocks until the peer leaves."""
        framer = Framer()
        while chunk := self.request.recv(65536):
            framer.feed(chunk)
            while (content := framer.next_frame()) is not None:
                self._acknowledge(Message(content))

    def _acknowledge(self, message: Message) -> None:
        kind = f"{message['MSH-9.1']}^{message['MSH-9.2']}"
        _RECEIVED.append(
            {"message_type": kind, "control_id": message["MSH-10"], "text": _impression(message)}
        )
        answer = acknowledge(
            header_of(message), Outcome.ACCEPTED, control_id=f"EHR{len(_RECEIVED)}", at=datetime.now(UTC)
        )
        if answer is not None:
            self.request.sendall(frame(answer))


class Listener(socketserver.ThreadingTCPServer):
    """Where the EHR listens."""

    daemon_threads = True


def send(host: str, port: int, content: str, control_id: str) -> dict[str, Any]:
    """Send a message and return the acknowledgement."""
    courier = MllpCourier(Peer("hilum", PeerKind.MLLP, host=host, port=port))
    try:
        receipt = courier.send_message(base64.b64decode(content), control_id)
    finally:
        courier.close()
    return {"code": receipt.code, "text": receipt.text}


def received() -> dict[str, Any]:
    """Return what was received so far."""
    return {"messages": list(_RECEIVED)}


def _impression(message: Message) -> str:
    results = [segment for segment in message.segments("OBX") if segment["OBX-2"] in ("TX", "FT")]
    return results[-1]["OBX-5"] if results else ""


def main() -> None:
    """Listen on any free port of this machine, and do what the play asks."""
    with Listener(("127.0.0.1", 0), Receiver) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        act({"send": send, "received": received}, port=listener.server_address[1])


if __name__ == "__main__":
    main()
