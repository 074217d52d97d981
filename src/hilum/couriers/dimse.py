"""DIMSE out: C-STORE, reports of storage commitment and workitems, and C-ECHO to one peer."""

import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial

from pydicom.dataset import Dataset

from hilum.core.access.model import Peer
from hilum.core.kernel.errors import Invalid
from hilum.core.routing.model import (
    AvailabilityParcel,
    CommitmentParcel,
    CommitmentReport,
    CommitmentRequestParcel,
    InstanceParcel,
    Parcel,
    ProcedureStepParcel,
    Receipt,
    ReportParcel,
    Verdict,
    WorkitemReportParcel,
)
from hilum.couriers import dimse_requests as requests
from hilum.transport.dicom import Association, AssociationEnded, PeerSilent, Timers
from hilum.transport.secure_socket import SecureSocket
from hilum.transport.tls import NO_IDENTITY, Identity, opened, why
from hilum.wire.dicom import availability, commitment, mpps, ups
from hilum.wire.dicom.data_sets import decoded, encoded
from hilum.wire.dicom.dimse.messages import (
    CCancelRequest,
    CEchoRequest,
    Command,
    CStoreRequest,
    NCreateRequest,
    NEventReportRequest,
    Request,
)
from hilum.wire.dicom.dimse.respond import respond
from hilum.wire.dicom.dimse.status import GENERAL, STORAGE, Status
from hilum.wire.dicom.frame_work import FrameWorker, no_worker
from hilum.wire.dicom.outgoing import UNCOMPRESSED, outgoing_data_set
from hilum.wire.dicom.upper_layer.errors import ProtocolError
from hilum.wire.dicom.upper_layer.events import AssociateAccepted, AssociateRejected
from hilum.wire.dicom.upper_layer.fragmentation import DataSet
from hilum.wire.dicom.upper_layer.limits import DEFAULT_LIMITS
from hilum.wire.dicom.upper_layer.negotiation import AcceptedContext, find_context, propose
from hilum.wire.dicom.upper_layer.states import Role
from hilum.wire.dicom.upper_layer.user_information import RoleSelection

VERIFICATION = "1.2.840.10008.1.1"
_CONNECT_SECONDS = 10.0
_LOOK = 0.02
_MOST_CONTEXTS = 128
"""Of one association (PS3.8 9.3.2.2): their numbers are odd and fit in an octet."""
Proposal = tuple[str, tuple[str, ...]]
"""One presentation context: an abstract syntax and its transfer syntaxes."""


class Unreachable(Exception):  # the receipt is its answer
    """The peer gave no association."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__(receipt.text)
        self.receipt = receipt


@dataclass(slots=True)
class DimseCourier:
    """Sends to one DICOM peer on one association, opened at need and widened when a new SOP class comes."""

    peer: Peer
    ae_title: str
    """Ours, calling."""
    originator: tuple[str, int] | None = None
    """AE title and message ID of who asked to move (PS3.7 9.1.1.1)."""
    timers: Timers = field(default_factory=Timers)
    identity: Identity = NO_IDENTITY
    """What we show, and whom we believe, where the peer is called by TLS."""
    frame_worker: FrameWorker = field(default=no_worker, kw_only=True)
    """What decodes and encodes pixels for a peer that does not take them as they are stored."""
    report_seconds: float = 2.0
    """How long a report of storage commitment is awaited on the association of its request."""
    _asks: bool = False
    _association: Association | None = None
    _proposals: list[Proposal] = field(default_factory=list)
    _expected: list[Proposal] = field(default_factory=list)
    """What is to be sent in the end: proposed as far as one association holds it, the rest on the next."""

    def expect(self, kinds: Iterable[tuple[str, str]]) -> Receipt | None:
        """Associate for these (SOP class, transfer syntax as stored); return why there is no association."""
        self._expected = [
            one for kind in kinds for one in _storage_proposals(*kind, self.peer.options.sent_in)
        ]
        try:
            self._associate(self._expected[:1])
        except Unreachable as failure:
            return failure.receipt
        return None

    def cut(self) -> None:
        """End the association at once, from another thread."""
        if self._association is not None:
            self._association.cut()

    def send(self, parcel: Parcel) -> Receipt:
        """Send one parcel and return the peer's answer."""
        try:
            match parcel:
                case InstanceParcel():
                    return self._store(parcel)
                case ProcedureStepParcel(message):
                    request = partial(requests.procedure_step, message)
                    return self._created(
                        mpps.PERFORMED_PROCEDURE_STEP, request, mpps.message_data_set(message)
                    )
                case AvailabilityParcel():
                    announced = availability.availability_data_set(parcel, self.ae_title)
                    announcing = partial(requests.availability, parcel)
                    return self._created(availability.SOP_CLASS_UID, announcing, announced)
                case CommitmentRequestParcel():
                    return self._ask_for_commitment(parcel)
                case CommitmentParcel():
                    return self._report(parcel)
                case WorkitemReportParcel():
                    return self._tell(parcel)
                case ReportParcel():
                    return Receipt(Verdict.REJECTED, "hilum", "a DICOM peer takes no HL7 report")
        except Unreachable as failure:
            return failure.receipt
        except Invalid as impossible:
            return Receipt(Verdict.REJECTED, "hilum", impossible.what)
        except (AssociationEnded, ProtocolError) as failure:
            self._drop()
            return Receipt(Verdict.UNCERTAIN, _code_of(failure), str(failure))

    def echo(self) -> Receipt:
        """C-ECHO (PS3.4 A)."""
        try:
            context = self._context(VERIFICATION, [(VERIFICATION, UNCOMPRESSED)])
            if context is None:
                return Receipt(Verdict.REJECTED, "association", "the peer does not accept Verification")
            request = CEchoRequest(AffectedSOPClassUID=VERIFICATION, MessageID=self._open.next_message_id())
            return requests.judged(self._ask(context, request), GENERAL)
        except Unreachable as failure:
            return failure.receipt
        except (AssociationEnded, ProtocolError) as failure:
            self._drop()
            return Receipt(Verdict.UNCERTAIN, "association", str(failure))

    def close(self) -> None:
        """Release the association."""
        if self._association is None:
            return
        try:
            self._association.write(self._association.connection.send_release_request())
            self._association.next_message()
        except (AssociationEnded, ProtocolError):
            pass  # released, or gone: either way it is over
        finally:
            self._drop()

    @property
    def _open(self) -> Association:
        if self._association is None:
            raise AssociationEnded("the association is not open")
        return self._association

    def _store(self, parcel: InstanceParcel) -> Receipt:
        instance = parcel.retrieved.instance
        sop_class = instance.sop_class_uid
        preferred = self.peer.options.sent_in
        wanted = _storage_proposals(sop_class, instance.transfer_syntax_uid, preferred)
        if self._context(sop_class, wanted) is None:
            return Receipt(Verdict.REJECTED, "0122", "the peer does not accept this SOP class")
        accepted = {
            context.transfer_syntax: context
            for context in self._open.connection.contexts.values()
            if context.abstract_syntax == sop_class
        }
        with parcel.open_blob(instance.blob.digest) as file:
            outgoing = outgoing_data_set(file, parcel.retrieved, accepted, self.frame_worker, preferred)
            request = self._store_request(sop_class, instance.sop_instance_uid)
            context = accepted[outgoing.transfer_syntax_uid]
            return requests.judged(self._ask(context, request, outgoing.stream), STORAGE)

    def _store_request(self, sop_class_uid: str, sop_instance_uid: str) -> CStoreRequest:
        ae_title, message_id = self.originator or (None, None)
        return CStoreRequest(
            AffectedSOPClassUID=sop_class_uid,
            MessageID=self._open.next_message_id(),
            AffectedSOPInstanceUID=sop_instance_uid,
            MoveOriginatorApplicationEntityTitle=ae_title,
            MoveOriginatorMessageID=message_id,
        )

    def _report(self, parcel: CommitmentParcel) -> Receipt:
        """N-EVENT-REPORT of a storage commitment, as its SCP (PS3.4 J.3.3; role selection PS3.7 D.3.3.4)."""
        context = self._context(commitment.SOP_CLASS_UID, [(commitment.SOP_CLASS_UID, UNCOMPRESSED)])
        if context is None:
            return Receipt(Verdict.REJECTED, "association", "the peer does not accept Storage Commitment")
        event_type, information = commitment.event_report(parcel.commitment, self.ae_title)
        request = requests.committed(event_type, self._open.next_message_id())
        return requests.judged(
            self._ask(context, request, encoded(information, context.transfer_syntax)), GENERAL
        )

    def _tell(self, parcel: WorkitemReportParcel) -> Receipt:
        """N-EVENT-REPORT of a workitem, as the SCP of UPS Event (PS3.4 CC.2.4)."""
        context = self._context(ups.UPS_EVENT, [(ups.UPS_EVENT, UNCOMPRESSED)])
        if context is None:
            return Receipt(Verdict.REJECTED, "association", "the peer does not accept UPS Event")
        report = parcel.report
        request = requests.workitem(report, self._open.next_message_id())
        information = encoded(ups.event_data_set(report), context.transfer_syntax)
        return requests.judged(self._ask(context, request, information), GENERAL)

    def _ask_for_commitment(self, parcel: CommitmentRequestParcel) -> Receipt:
        """N-ACTION as SCU; the report may come on this association at once, else it comes on one of the peer's."""
        if not self._asks:  # an association that was opened to report has the other role only
            self.close()
            self._asks = True
        sop_class = commitment.SOP_CLASS_UID
        context = self._context(sop_class, [(sop_class, UNCOMPRESSED)])
        if context is None:
            return Receipt(Verdict.REJECTED, "association", "the peer does not accept Storage Commitment")
        request = requests.commitment(self._open.next_message_id())
        asked = commitment.action_data_set(parcel.transaction_uid, parcel.references)
        receipt = requests.judged(
            self._ask(context, request, encoded(asked, context.transfer_syntax)), GENERAL
        )
        if receipt.verdict is Verdict.ACCEPTED:
            return replace(receipt, report=self._awaited_report(context, parcel.transaction_uid))
        return receipt

    def _awaited_report(self, context: AcceptedContext, transaction_uid: str) -> CommitmentReport | None:
        """Return the report when it comes on the same association within a moment."""
        association, deadline = self._open, time.monotonic() + self.report_seconds
        while not association.has_news():
            if time.monotonic() >= deadline:
                return None
            time.sleep(_LOOK)
        try:
            report = self._take_report(association, context)
        except (AssociationEnded, ProtocolError, Invalid):
            self._drop()  # it took the request; its report is awaited on an association of its own
            return None
        return report if report.transaction_uid == transaction_uid else None

    def _take_report(self, association: Association, context: AcceptedContext) -> CommitmentReport:
        command = association.next_message().command
        if not isinstance(command, NEventReportRequest):
            raise ProtocolError("the peer sent something that was not asked")
        octets = b"".join(bytes(part) for part in association.fragments())
        report = commitment.told(decoded(octets, context.transfer_syntax))
        association.send(context.context_id, respond(command, Status.SUCCESS, has_data_set=False))
        return report

    def _created(self, sop_class: str, request: requests.Numbered, data_set: Dataset) -> Receipt:
        """N-CREATE or N-SET, as SCU. What is there already was created before, by an attempt without an answer."""
        context = self._context(sop_class, [(sop_class, UNCOMPRESSED)])
        if context is None:
            return Receipt(Verdict.REJECTED, "association", f"the peer does not accept {sop_class}")
        asked = request(self._open.next_message_id())
        response = self._ask(context, asked, encoded(data_set, context.transfer_syntax))
        repeated = getattr(response, "Status", None) == Status.DUPLICATE_SOP_INSTANCE
        if repeated and isinstance(asked, NCreateRequest):
            return Receipt(Verdict.ACCEPTED, "0111", "it is there already")
        return requests.judged(response, GENERAL)

    def _ask(self, context: AcceptedContext, request: Request, data_set: DataSet | None = None) -> Command:
        """Send a request and return its response; a data set that comes with it is read and left."""
        association = self._open
        association.send(context.context_id, request, data_set)
        received = association.next_message()
        answered = getattr(received.command, "MessageIDBeingRespondedTo", None)
        if answered != request.MessageID or isinstance(received.command, CCancelRequest):
            association.abort()
            raise AssociationEnded("the peer answered something that was not asked")
        if received.command.has_data_set:
            for _ in association.fragments():
                pass
        return received.command

    def _context(self, abstract_syntax: str, wanted: Sequence[Proposal]) -> AcceptedContext | None:
        """Return an accepted context; the association is opened anew when it was never asked for these."""
        self._leave_if_over()
        missing = [one for one in wanted if one not in self._proposals]
        if self._association is None or missing:
            self._associate(missing)
        return find_context(self._open.connection.contexts, abstract_syntax)

    def _associate(self, missing: Sequence[Proposal]) -> None:
        """Open an association anew: for what was proposed before, or from the missing on for what is expected."""
        self.close()
        self._proposals = [*self._proposals, *missing][-_MOST_CONTEXTS:]
        if missing and missing[0] in self._expected:
            at = self._expected.index(missing[0])
            self._proposals = self._expected[at : at + _MOST_CONTEXTS]
        self._association = self._connect()

    def _leave_if_over(self) -> None:
        """Drop an association that the peer has closed: nothing was asked, so that anything it says is a farewell."""
        if self._association is None or not self._association.has_news():
            return
        try:
            self._association.next_message()
            self._association.abort()
        except (AssociationEnded, ProtocolError):
            pass  # as expected: the next one is opened for what is to be sent now
        finally:
            self._drop()

    def _connect(self) -> Association:
        try:
            transport = socket.create_connection((self.peer.host, self.peer.port), _CONNECT_SECONDS)
        except OSError as error:
            text = f"{error.strerror or error}: {self.peer.host}:{self.peer.port}"
            raise Unreachable(Receipt(Verdict.RETRY, "connection", text)) from error
        association = Association(self._secured(transport), Role.REQUESTOR, DEFAULT_LIMITS, self.timers)
        self._association = association  # so that it can be cut while it is negotiated
        try:
            self._negotiate(association)
        except (AssociationEnded, ProtocolError) as failure:
            self._drop()
            raise Unreachable(Receipt(Verdict.RETRY, _code_of(failure), str(failure))) from failure
        return association

    def _secured(self, transport: socket.socket) -> socket.socket | SecureSocket:
        """Shake hands by TLS where the peer is configured so. It may pass: somebody renews a certificate."""
        if not self.peer.options.tls:
            return transport
        try:
            return opened(transport, self.peer, self.identity)
        except OSError as error:
            transport.close()
            raise Unreachable(Receipt(Verdict.RETRY, "tls", f"{self.peer.host}: {why(error)}")) from error
        except Invalid as ours:
            transport.close()
            raise Unreachable(Receipt(Verdict.RETRY, "tls", str(ours))) from ours

    def _negotiate(self, association: Association) -> None:
        proposed = {abstract_syntax for abstract_syntax, _ in self._proposals}
        roles = tuple(
            RoleSelection(
                reporting,
                scu_role=self._asks and reporting == commitment.SOP_CLASS_UID,
                scp_role=True,
            )
            for reporting in (commitment.SOP_CLASS_UID, ups.UPS_EVENT)
            if reporting in proposed
        )
        request = propose(self.peer.ae_title, self.ae_title, self._proposals, role_selections=roles)
        association.write(association.connection.send_associate_request(request))
        match association.next_event():
            case AssociateAccepted():
                return
            case AssociateRejected(rejected):
                self._drop()
                # Nothing was offered to the peer yet: once its configuration is mended, the queue goes on by itself.
                code = f"A-ASSOCIATE-RJ {rejected.source}/{rejected.reason}"
                raise Unreachable(Receipt(Verdict.RETRY, code, f"rejected: {rejected.meaning}"))
            case _:
                raise AssociationEnded("the peer neither accepted nor rejected the association")

    def _drop(self) -> None:
        if self._association is not None:
            self._association.close()
            self._association = None


def _storage_proposals(
    sop_class_uid: str, transfer_syntax_uid: str, preferred: Sequence[str]
) -> list[Proposal]:
    """Return contexts for a class: what is stored and preferred, each alone so that none is lost, and what all take."""
    alone: list[Proposal] = [
        (sop_class_uid, (one,)) for one in dict.fromkeys([transfer_syntax_uid, *preferred])
    ]
    if transfer_syntax_uid in UNCOMPRESSED:
        return [(sop_class_uid, UNCOMPRESSED), *alone]
    return [*alone, (sop_class_uid, UNCOMPRESSED)]


def _code_of(failure: AssociationEnded | ProtocolError) -> str:
    return "silence" if isinstance(failure, PeerSilent) else "association"


def echo(peer: Peer, ae_title: str, identity: Identity = NO_IDENTITY) -> Receipt:
    """C-ECHO on an association of its own."""
    with closing(DimseCourier(peer, ae_title, identity=identity)) as courier:
        return courier.echo()
