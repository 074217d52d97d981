"""User identity in an association: what is claimed, and what is answered (PS3.7 D.3.3.7)."""

from hilum.core.access.model import Claim, ClaimKind
from hilum.core.kernel.caller import Caller, CallerKind
from hilum.wire.dicom.upper_layer.pdus import AssociateRequest
from hilum.wire.dicom.upper_layer.user_information import UserIdentity, UserIdentityResponse, UserIdentityType

_KINDS = {
    UserIdentityType.USERNAME: ClaimKind.NAME,
    UserIdentityType.USERNAME_AND_PASSCODE: ClaimKind.PASSWORD,
    UserIdentityType.JWT: ClaimKind.TOKEN,
}
_LONGEST_NAME = 256


def claim_of(request: AssociateRequest) -> Claim | None:
    """Return who the association says that its user is."""
    said = request.user_information.user_identity
    if said is None:
        return None
    kind = (
        _KINDS.get(UserIdentityType(said.user_identity_type), ClaimKind.OTHER)
        if _known(said)
        else ClaimKind.OTHER
    )
    primary = said.primary_field.decode("utf-8", "replace")
    if kind is ClaimKind.TOKEN:
        return Claim(kind, secret=primary)
    return Claim(kind, primary[:_LONGEST_NAME], said.secondary_field.decode("utf-8", "replace"))


def response_of(request: AssociateRequest, caller: Caller) -> UserIdentityResponse | None:
    """Return the positive response when one was asked for and the identity was really checked (PS3.7 D.3.3.7.2)."""
    said = request.user_information.user_identity
    checked = caller.kind in (CallerKind.USER, CallerKind.TOKEN)
    return (
        UserIdentityResponse() if said is not None and said.positive_response_requested and checked else None
    )


def _known(said: UserIdentity) -> bool:
    return said.user_identity_type in tuple(UserIdentityType)
