"""What is agreed on with one peer: less than with all, where its options say so."""

from collections.abc import Mapping
from dataclasses import replace

from hilum.core.kernel.peer_options import PeerOptions
from hilum.wire.dicom.sop_classes import is_storable
from hilum.wire.dicom.upper_layer.limits import Limits
from hilum.wire.dicom.upper_layer.negotiation import Preference, Supported


def supported(ours: Mapping[str, Supported], options: PeerOptions) -> Mapping[str, Supported]:
    """Return the SOP classes that this peer may use; storage in the transfer syntaxes that it may send, best first."""
    if not options.sop_classes and not options.transfer_syntaxes:
        return ours
    return {
        sop_class: _narrowed(sop_class, one, options.transfer_syntaxes)
        for sop_class, one in ours.items()
        if not options.sop_classes or sop_class in options.sop_classes
    }


def preference(options: PeerOptions) -> Preference:
    """Return whose order of transfer syntaxes decides: ours as soon as we have one."""
    return Preference.ACCEPTOR if options.transfer_syntaxes else Preference.REQUESTOR


def limits(ours: Limits, options: PeerOptions) -> Limits:
    """Return the limits that are announced; a peer's own can only be lower."""
    longest = min(options.maximum_pdu_length or ours.maximum_length_received, ours.maximum_length_received)
    return replace(ours, maximum_length_received=longest)


def _narrowed(sop_class: str, ours: Supported, wanted: tuple[str, ...]) -> Supported:
    if not wanted or not is_storable(sop_class):
        return ours
    return replace(ours, transfer_syntaxes=tuple(one for one in wanted if one in ours.transfer_syntaxes))
