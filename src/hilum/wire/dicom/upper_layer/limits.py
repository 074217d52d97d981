"""What one association may cost us."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound of the upper layer and the message assembler, in bytes or counts."""

    # The longest P-DATA-TF that we announce and accept (PS3.8 D.1), without its 6 octets of header.
    maximum_length_received: int = 131_072
    # The longest P-DATA-TF that we send, even where the peer allows more or does not limit it.
    maximum_length_sent: int = 131_072
    # A peer that takes less than this would make us send a PDU per few octets: the association is aborted.
    smallest_length_sent: int = 128
    maximum_associate_length: int = 1 << 20
    maximum_presentation_contexts: int = 128
    # Items directly inside one PDU or item: transfer syntaxes of a context, sub-items of the user information.
    maximum_items: int = 1024
    maximum_fragments_per_pdu: int = 1024
    maximum_command_length: int = 65_536
    maximum_command_fragments: int = 1024


DEFAULT_LIMITS = Limits()
