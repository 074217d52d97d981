"""Negotiation: each proposed context gets the result that the standard asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import build_context
from pynetdicom.presentation import PresentationContext as TheirContext
from pynetdicom.presentation import negotiate_as_acceptor

from hilum.wire.dicom.upper_layer.errors import ProtocolError
from hilum.wire.dicom.upper_layer.negotiation import (
    Preference,
    Supported,
    accepted_contexts,
    find_context,
    negotiate,
    propose,
    refuse,
)
from hilum.wire.dicom.upper_layer.pdus import (
    AssociateAccept,
    AssociateRequest,
    ContextResult,
    PresentationContextResult,
    RejectSource,
)
from hilum.wire.dicom.upper_layer.user_information import RoleSelection

CT, MR, COMMITMENT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.1.20.1"
IMPLICIT, EXPLICIT, JPEG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"


def test_a_context_is_accepted_in_the_requestors_first_syntax_that_we_have() -> None:
    request = propose("A", "B", [(CT, [JPEG, IMPLICIT, EXPLICIT])])

    accept = negotiate(request, {CT: Supported((EXPLICIT, IMPLICIT))})

    assert accept.presentation_contexts == (PresentationContextResult(1, ContextResult.ACCEPTANCE, IMPLICIT),)


def test_a_context_is_accepted_in_our_first_syntax_where_our_order_is_preferred() -> None:
    request = propose("A", "B", [(CT, [JPEG, IMPLICIT, EXPLICIT])])

    accept = negotiate(request, {CT: Supported((EXPLICIT, IMPLICIT))}, preference=Preference.ACCEPTOR)

    assert accept.presentation_contexts[0].transfer_syntax == EXPLICIT


def test_what_we_do_not_have_is_named_as_abstract_or_transfer_syntax() -> None:
    request = propose("A", "B", [(MR, [IMPLICIT]), (CT, [JPEG])])

    accept = negotiate(request, {CT: Supported((IMPLICIT,))})

    assert [context.result for context in accept.presentation_contexts] == [
        ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED,
        ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED,
    ]


def test_a_requestor_that_wants_to_be_scp_gets_that_role_where_we_are_scu() -> None:
    roles = (
        RoleSelection(CT, scu_role=False, scp_role=True),
        RoleSelection(MR, scu_role=True, scp_role=True),
    )
    request = propose("A", "B", [(CT, [IMPLICIT]), (MR, [IMPLICIT])], role_selections=roles)
    supported = {CT: Supported((IMPLICIT,), as_scu=True), MR: Supported((IMPLICIT,))}

    contexts = accepted_contexts(request, negotiate(request, supported))

    assert (contexts[1].requestor_is_scu, contexts[1].requestor_is_scp) == (False, True)
    assert (contexts[3].requestor_is_scu, contexts[3].requestor_is_scp) == (True, False)


def test_a_requestor_that_only_wants_a_role_that_we_cannot_meet_is_rejected_by_the_user() -> None:
    roles = (RoleSelection(CT, scu_role=False, scp_role=True),)
    request = propose("A", "B", [(CT, [IMPLICIT])], role_selections=roles)

    accept = negotiate(request, {CT: Supported((IMPLICIT,))})

    assert accept.presentation_contexts[0].result is ContextResult.USER_REJECTION


def test_a_requestor_of_another_protocol_version_or_application_context_is_refused_as_the_standard_says() -> (
    None
):
    version = refuse(AssociateRequest("A", "B", (), protocol_version=2))
    application = refuse(AssociateRequest("A", "B", (), application_context_name="1.2.3"))

    assert version is not None
    assert (version.source, version.meaning) == (
        RejectSource.SERVICE_PROVIDER_ACSE,
        "protocol version not supported",
    )
    assert application is not None
    assert application.meaning == "application context name not supported"
    assert refuse(propose("A", "B", [(CT, [IMPLICIT])])) is None


@pytest.mark.parametrize(("context_id", "syntax"), [(3, IMPLICIT), (1, JPEG)])
def test_an_answer_that_accepts_what_was_not_proposed_is_a_protocol_error(
    context_id: int, syntax: str
) -> None:
    request = propose("A", "B", [(CT, [IMPLICIT])])
    accept = AssociateAccept(
        "A", "B", (PresentationContextResult(context_id, ContextResult.ACCEPTANCE, syntax),)
    )

    with pytest.raises(ProtocolError):
        accepted_contexts(request, accept)


def test_a_context_is_found_by_abstract_and_transfer_syntax() -> None:
    request = propose("A", "B", [(CT, [IMPLICIT]), (CT, [JPEG])])
    contexts = accepted_contexts(request, negotiate(request, {CT: Supported((IMPLICIT, JPEG))}))

    any_syntax, jpeg, explicit = (find_context(contexts, CT, syntax) for syntax in (None, JPEG, EXPLICIT))

    assert any_syntax == contexts[1]
    assert jpeg == contexts[3]
    assert explicit is None


def test_more_than_128_contexts_cannot_be_proposed() -> None:
    with pytest.raises(ValueError, match="128"):
        propose("A", "B", [(CT, [IMPLICIT])] * 129)


syntaxes = st.lists(st.sampled_from([IMPLICIT, EXPLICIT, JPEG]), min_size=1, max_size=3, unique=True)
classes = st.sampled_from([CT, MR, COMMITMENT])
roles = st.sampled_from([(True, False), (False, True), (True, True)])
ours = st.tuples(syntaxes, st.booleans())


@given(
    st.lists(st.tuples(classes, syntaxes), min_size=1, max_size=5),
    st.dictionaries(classes, roles),
    st.dictionaries(classes, ours),
)
def test_our_results_are_those_of_pynetdicom(
    proposed: list[tuple[str, list[str]]],
    proposed_roles: dict[str, tuple[bool, bool]],
    supported: dict[str, tuple[list[str], bool]],
) -> None:
    selections = tuple(RoleSelection(uid, scu, scp) for uid, (scu, scp) in proposed_roles.items())
    request = propose("A", "B", proposed, role_selections=selections)
    table = {uid: Supported(tuple(syntax), as_scu=as_scu) for uid, (syntax, as_scu) in supported.items()}

    accept = negotiate(request, table, preference=Preference.ACCEPTOR)

    theirs = their_results(request, proposed_roles, supported)
    assert [(context.context_id, context.result) for context in accept.presentation_contexts] == [
        (context.context_id, context.result) for context in theirs
    ]
    assert [context.transfer_syntax for context in accept.presentation_contexts if not context.result] == [
        context.transfer_syntax[0] for context in theirs if not context.result
    ]


def their_results(
    request: AssociateRequest,
    proposed_roles: dict[str, tuple[bool, bool]],
    supported: dict[str, tuple[list[str], bool]],
) -> list[TheirContext]:
    rq = []
    for context in request.presentation_contexts:
        theirs = TheirContext()
        theirs.context_id, theirs.abstract_syntax = context.context_id, context.abstract_syntax
        theirs.transfer_syntax = list(context.transfer_syntaxes)
        rq.append(theirs)
    ac = []
    for uid, (syntax, as_scu) in supported.items():
        theirs = build_context(uid, syntax)
        theirs.scu_role, theirs.scp_role = True, as_scu
        ac.append(theirs)
    return negotiate_as_acceptor(rq, ac, proposed_roles)[0]
