"""An EHR/RIS on plain sockets: sends HL7 v2 over MLLP, and receives what Hilum sends (HL7 2.5.1, appendix C)."""

import itertools
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import hl7

START, END = b"\x0b", b"\x1c\r"
_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Person:
    """A patient as the EHR knows them."""

    number: str
    family_name: str = "Doe"
    given_name: str = "Anna"
    issuer: str = "STMARY"
    birth_date: str = "19700131"
    sex: str = "F"

    @property
    def pid(self) -> str:
        """PID."""
        identifier = f"{self.number}^^^{self.issuer}^MR"
        return f"PID|1||{identifier}||{self.family_name}^{self.given_name}||{self.birth_date}|{self.sex}"


@dataclass(frozen=True, slots=True)
class Order:
    """An order for a chest CT."""

    number: str
    study_instance_uid: str
    moment: str = "20261124093000"

    @property
    def accession_number(self) -> str:
        """OBR-18, (0008,0050)."""
        return f"ACC{self.number}"


def registration(person: Person) -> bytes:
    """ADT^A04 (ITI-30)."""
    return _message("ADT^A04^ADT_A01", "2.5.1", "EVN|A04|20261124080000", person.pid, "PV1|1|O")


def order_orm(person: Person, order: Order) -> bytes:
    """ORM^O01 (RAD-4, HL7 2.3.1)."""
    number = order.number
    timing = f"1^once^^{order.moment}^^R"
    return _message(
        "ORM^O01", "2.3.1", person.pid, "PV1|1|O",
        f"ORC|NW|PLC{number}^RIS|FIL{number}^HILUM||SC||{timing}",
        f"OBR|1|PLC{number}^RIS|FIL{number}^HILUM|71260^CT chest^C4^CTTH^CT Thorax^99LOC|||||||||Cough|||||"
        f"{order.accession_number}|RP{number}|SPS{number}||||CT|||{timing}",
        f"ZDS|{order.study_instance_uid}^HILUM^Application^DICOM",
    )  # fmt: skip


def order_omi(person: Person, order: Order) -> bytes:
    """OMI^O23 (RAD-4, HL7 2.5.1)."""
    number = order.number
    return _message(
        "OMI^O23^OMI_O23", "2.5.1", person.pid, "PV1|1|O",
        f"ORC|NW|PLC{number}^RIS|FIL{number}^HILUM",
        f"TQ1|1||||||{order.moment}||R",
        f"OBR|1|PLC{number}^RIS|FIL{number}^HILUM|71260^CT chest^C4",
        f"IPC|{order.accession_number}^HILUM|RP{number}|{order.study_instance_uid}|SPS{number}|CT|CTTH^CT Thorax^99LOC"
        "|CT-ROOM-1|EAST|CT01",
    )  # fmt: skip


def report(person: Person, order: Order, impression: str, status: str = "F") -> bytes:
    """ORU^R01 (RAD-28)."""
    number = order.number
    return _message(
        "ORU^R01^ORU_R01", "2.5.1", person.pid, "PV1|1|O",
        f"ORC|RE|PLC{number}^RIS|FIL{number}^HILUM",
        f"OBR|1|PLC{number}^RIS|FIL{number}^HILUM|71260^CT chest^C4|||20261124101500|||||||||||{order.accession_number}"
        f"||||20261124110000|||{status}|||||||77889&Reader&Rita",
        f"OBX|1|HD|110180^Study Instance UID^DCM||{order.study_instance_uid}||||||{status}",
        f"OBX|2|TX|18782-3^Radiology Study observation^LN|1|No nodule, no effusion.||||||{status}",
        f"OBX|3|TX|19005-8^Impression^LN|1|{impression}||||||{status}",
    )  # fmt: skip


def merge(survivor: Person, retired: Person) -> bytes:
    """ADT^A40: PID survives, MRG retires (ITI-30)."""
    mrg = f"MRG|{retired.number}^^^{retired.issuer}^MR||||||{retired.family_name}^{retired.given_name}"
    return _message("ADT^A40^ADT_A39", "2.5.1", "EVN|A40|20261124120000", survivor.pid, mrg)


def control_id(message: bytes) -> str:
    """MSH-10."""
    return message.split(b"\r", 1)[0].split(b"|")[9].decode()


def _message(message_type: str, version: str, *segments: str) -> bytes:
    moment = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    number = f"EHR{next(_NUMBERS):07}"
    header = f"MSH|^~\\&|RIS|STMARY|HILUM|RAD|{moment}||{message_type}|{number}|P|{version}"
    return "\r".join([header, *segments, ""]).encode("ascii")


class Sender:
    """One connection of the EHR; each message is sent when the one before it was acknowledged."""

    def __init__(self, port: int, patience: float = 20.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=patience)
        self._arrived = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.socket.close()

    def send(self, message: bytes) -> hl7.Message:
        """Send and return the acknowledgement; raises OSError when the connection ends before it."""
        self.socket.sendall(START + message + END)
        return self.read()

    def read(self) -> hl7.Message:
        """Return the next message."""
        while END not in self._arrived:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise ConnectionResetError
            self._arrived += chunk
        block, self._arrived = self._arrived.split(END, 1)
        return hl7.parse(block.removeprefix(START).decode())


def send(port: int, *messages: bytes) -> list[str]:
    """Send messages on one connection and return MSA-1 of each, after checking that MSA-2 names it."""
    with Sender(port) as sender:
        answers = [(message, sender.send(message)) for message in messages]
    for message, answer in answers:
        assert str(answer.segment("MSA")[2]) == control_id(message)
    return [str(answer.segment("MSA")[1]) for _, answer in answers]


Answer = Callable[[hl7.Message], bytes | None]
"""What the EHR says to a message: bytes to send, empty for silence; None closes the connection."""


def says(code: str, condition: str = "") -> Answer:
    """Answer with an acknowledgement code of HL7 table 0008, and a condition of table 0357 when one is given."""

    def answer(message: hl7.Message) -> bytes:
        header = "MSH|^~\\&|EHR|STMARY|HILUM|RAD|20261124120001||ACK^R01^ACK|A1|P|2.5.1"
        error = [f"ERR|||{condition}|E||||no thanks"] if condition else []
        return (
            START + "\r".join([header, f"MSA|{code}|{message.segment('MSH')[10]}", *error, ""]).encode() + END
        )

    return answer


def is_silent(_message: hl7.Message) -> bytes:
    """Say nothing and keep the connection open."""
    return b""


def hangs_up(_message: hl7.Message) -> None:
    """Close the connection instead of answering."""


def talks_garbage(_message: hl7.Message) -> bytes:
    """Answer with a block that holds no acknowledgement."""
    return START + b"<html>502 Bad Gateway</html>" + END


@dataclass(slots=True)
class Receiver:
    """The EHR's ear: keeps every message, and answers as the next of `answers` says, the last of them for ever."""

    port: int
    answers: list[Answer] = field(default_factory=lambda: [says("AA")])
    received: list[hl7.Message] = field(default_factory=list)
    _server: Any = None
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> Self:
        """Listen."""
        receiver = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                receiver._serve(self.request)

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Listener(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Refuse connections, and end those that are open."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        for connection in list(self._open):
            connection.close()

    def control_ids(self) -> list[str]:
        """MSH-10 of everything that came, in its order."""
        return [str(message.segment("MSH")[10]) for message in list(self.received)]

    def impressions(self) -> list[str]:
        """The impressions of the reports that came, in their order."""
        return [str(message.segments("OBX")[-1][5]) for message in list(self.received)]

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        try:
            for block in _blocks(connection):
                said = self._answer(hl7.parse(block.decode()))
                if said is None:
                    return
                connection.sendall(said)
        except OSError:
            return
        finally:
            self._open.discard(connection)

    def _answer(self, message: hl7.Message) -> bytes | None:
        with self._lock:
            self.received.append(message)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(message)


def _blocks(connection: socket.socket) -> Iterator[bytes]:
    arrived = b""
    while chunk := connection.recv(65536):
        arrived += chunk
        while END in arrived:
            block, arrived = arrived.split(END, 1)
            yield block.removeprefix(START)
