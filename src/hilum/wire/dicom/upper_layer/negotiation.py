"""What is agreed when an association opens: pure functions of the two A-ASSOCIATE PDUs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from hilum.wire.dicom.upper_layer.errors import ProtocolError
from hilum.wire.dicom.upper_layer.limits import DEFAULT_LIMITS, Limits
from hilum.wire.dicom.upper_layer.pdus import (
    APPLICATION_CONTEXT_NAME,
    REJECT_APPLICATION_CONTEXT,
    REJECT_PROTOCOL_VERSION,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    ContextResult,
    PresentationContext,
    PresentationContextResult,
)
from hilum.wire.dicom.upper_layer.user_information import (
    AsynchronousOperationsWindow,
    RoleSelection,
    SOPClassExtendedNegotiation,
    UserIdentity,
    UserIdentityResponse,
    UserInformation,
)


@dataclass(frozen=True, slots=True)
class Supported:
    """What we do with one abstract syntax: its encodings, best first, and the roles that we take."""

    transfer_syntaxes: tuple[str, ...]
    as_scp: bool = True  # the requestor may be SCU
    as_scu: bool = False  # the requestor may be SCP: storage in C-GET, reports of storage commitment


class Preference(Enum):
    """Whose order of transfer syntaxes decides."""

    REQUESTOR = "requestor"
    ACCEPTOR = "acceptor"


@dataclass(frozen=True, slots=True)
class AcceptedContext:
    """One context that both sides agreed on, with the roles of the association-requestor in it."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str
    requestor_is_scu: bool = True
    requestor_is_scp: bool = False


def refuse(request: AssociateRequest) -> AssociateReject | None:
    """The rejection that the standard itself demands, if any (PS3.8 9.3.2, 9.3.4)."""
    if not request.protocol_version & 1:
        return REJECT_PROTOCOL_VERSION
    if request.application_context_name != APPLICATION_CONTEXT_NAME:
        return REJECT_APPLICATION_CONTEXT
    return None


def negotiate(
    request: AssociateRequest,
    supported: Mapping[str, Supported],
    *,
    preference: Preference = Preference.REQUESTOR,
    extended_negotiations: tuple[SOPClassExtendedNegotiation, ...] = (),
    user_identity_response: UserIdentityResponse | None = None,
    most_operations: int = 1,
    limits: Limits = DEFAULT_LIMITS,
) -> AssociateAccept:
    """Our answer to every proposed context (PS3.8 9.3.3.2), role (PS3.7 D.3.3.4) and window (PS3.7 D.3.3.3)."""
    proposed_roles = {role.sop_class_uid: role for role in request.user_information.role_selections}
    roles = {uid: _grant(role, supported[uid]) for uid, role in proposed_roles.items() if uid in supported}
    results = tuple(
        _judge(
            context, supported.get(context.abstract_syntax), roles.get(context.abstract_syntax), preference
        )
        for context in request.presentation_contexts
    )
    answer = UserInformation(
        maximum_length=limits.maximum_length_received,
        asynchronous_operations_window=_window(
            request.user_information.asynchronous_operations_window, most_operations
        ),
        role_selections=tuple(roles.values()),
        extended_negotiations=extended_negotiations,
        user_identity_response=user_identity_response,
    )
    return AssociateAccept(request.called_ae_title, request.calling_ae_title, results, answer)


def _window(asked: AsynchronousOperationsWindow | None, most: int) -> AsynchronousOperationsWindow | None:
    """Of the operations that a requestor wants to have outstanding, those that we take; we invoke one at a time.

    Without a proposal there is no answer, which is one operation at a time (PS3.7 D.3.3.3.3).
    """
    if asked is None:
        return None
    wanted = asked.maximum_number_operations_invoked or most  # 0 is without limit
    return AsynchronousOperationsWindow(min(wanted, most), 1)


def _grant(proposed: RoleSelection, ours: Supported) -> RoleSelection:
    """Of the roles that the requestor proposes, those that we can be the other side of (PS3.7 Table D.3-9)."""
    return RoleSelection(
        proposed.sop_class_uid, proposed.scu_role and ours.as_scp, proposed.scp_role and ours.as_scu
    )


def _judge(
    context: PresentationContext, ours: Supported | None, roles: RoleSelection | None, preference: Preference
) -> PresentationContextResult:
    """The result of one proposed context (PS3.8 Table 9-18)."""
    first = context.transfer_syntaxes[0] if context.transfer_syntaxes else ""  # not significant, but expected
    if ours is None:
        return PresentationContextResult(
            context.context_id, ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED, first
        )
    chosen = _choose(context.transfer_syntaxes, ours.transfer_syntaxes, preference)
    if chosen is None:
        return PresentationContextResult(
            context.context_id, ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED, first
        )
    if not (roles.scu_role or roles.scp_role if roles else ours.as_scp):
        return PresentationContextResult(context.context_id, ContextResult.USER_REJECTION, first)
    return PresentationContextResult(context.context_id, ContextResult.ACCEPTANCE, chosen)


def _choose(theirs: Sequence[str], ours: Sequence[str], preference: Preference) -> str | None:
    """The first syntax in the preferred order that the other side has too."""
    order, other = (theirs, ours) if preference is Preference.REQUESTOR else (ours, theirs)
    return next((syntax for syntax in order if syntax in other), None)


def propose(
    called_ae_title: str,
    calling_ae_title: str,
    contexts: Iterable[tuple[str, Sequence[str]]],
    *,
    role_selections: tuple[RoleSelection, ...] = (),
    extended_negotiations: tuple[SOPClassExtendedNegotiation, ...] = (),
    user_identity: UserIdentity | None = None,
    asynchronous_operations_window: AsynchronousOperationsWindow | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> AssociateRequest:
    """A request for these (abstract syntax, transfer syntaxes), numbered 1, 3, 5, ... (PS3.8 9.3.2.2)."""
    numbered = tuple(
        PresentationContext(2 * index + 1, abstract_syntax, tuple(transfer_syntaxes))
        for index, (abstract_syntax, transfer_syntaxes) in enumerate(contexts)
    )
    if not 0 < len(numbered) <= 128:
        raise ValueError("an association has 1 to 128 presentation contexts")
    said = UserInformation(
        maximum_length=limits.maximum_length_received,
        role_selections=role_selections,
        extended_negotiations=extended_negotiations,
        user_identity=user_identity,
        asynchronous_operations_window=asynchronous_operations_window,
    )
    return AssociateRequest(called_ae_title, calling_ae_title, numbered, said)


def accepted_contexts(request: AssociateRequest, accept: AssociateAccept) -> dict[int, AcceptedContext]:
    """The contexts that both PDUs agree on; an answer that was not asked for is a ProtocolError."""
    proposed = {context.context_id: context for context in request.presentation_contexts}
    asked = {role.sop_class_uid for role in request.user_information.role_selections}
    granted = {role.sop_class_uid: role for role in accept.user_information.role_selections}
    roles = {uid: role for uid, role in granted.items() if uid in asked}
    return {
        result.context_id: _agree(proposed.get(result.context_id), result, roles)
        for result in accept.presentation_contexts
        if result.result is ContextResult.ACCEPTANCE
    }


def _agree(
    proposed: PresentationContext | None,
    result: PresentationContextResult,
    roles: Mapping[str, RoleSelection],
) -> AcceptedContext:
    """One accepted context; without role selection the requestor is SCU (PS3.7 D.3.3.4)."""
    if proposed is None or result.transfer_syntax not in proposed.transfer_syntaxes:
        raise ProtocolError("the answer accepts a context or transfer syntax that was not proposed")
    role = roles.get(proposed.abstract_syntax, RoleSelection(proposed.abstract_syntax, True, False))
    return AcceptedContext(
        result.context_id, proposed.abstract_syntax, result.transfer_syntax, role.scu_role, role.scp_role
    )


def find_context(
    contexts: Mapping[int, AcceptedContext], abstract_syntax: str, transfer_syntax: str | None = None
) -> AcceptedContext | None:
    """The first accepted context for this abstract syntax, and transfer syntax where one is given."""
    for context in contexts.values():
        if context.abstract_syntax == abstract_syntax and transfer_syntax in {None, context.transfer_syntax}:
            return context
    return None
