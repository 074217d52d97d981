"""Fragments into messages: the command whole, its data set in the pieces that arrive (PS3.7 6.3, PS3.8 E)."""

from dataclasses import dataclass

from hilum.wire.dicom.dimse.codec import decode_command
from hilum.wire.dicom.dimse.messages import Command
from hilum.wire.dicom.upper_layer.errors import AbortReason, ProtocolError
from hilum.wire.dicom.upper_layer.events import DataFragment
from hilum.wire.dicom.upper_layer.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, slots=True)
class CommandReceived:
    """A whole command; where `command.has_data_set`, fragments of its data set follow."""

    context_id: int
    command: Command


class MessageAssembler:
    """Puts the fragments of one association in their message, and holds no more than one command set."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._command_set = bytearray()
        self._fragments = 0
        self._context_id: int | None = None  # of the message that is under way
        self._in_data_set = False

    @property
    def is_between_messages(self) -> bool:
        """Whether the next fragment starts a message."""
        return self._context_id is None

    def put(self, fragment: DataFragment) -> CommandReceived | DataFragment | None:
        """A command once it is whole; a data set fragment as it is, until one `is_last`; None in between."""
        if self._context_id is None:
            self._context_id = fragment.context_id
        if fragment.context_id != self._context_id or fragment.is_command == self._in_data_set:
            raise ProtocolError("messages are interleaved", AbortReason.UNEXPECTED_PDU_PARAMETER)
        return self._put_command(fragment) if fragment.is_command else self._put_data_set(fragment)

    def _put_data_set(self, fragment: DataFragment) -> DataFragment:
        """Pass it on: whoever takes the message decides where its octets go."""
        if fragment.is_last:
            self._context_id, self._in_data_set = None, False
        return fragment

    def _put_command(self, fragment: DataFragment) -> CommandReceived | None:
        """Keep it until the last one (PS3.7 6.3.1)."""
        self._fragments += 1
        if (
            self._fragments > self._limits.maximum_command_fragments
            or len(self._command_set) + len(fragment.payload) > self._limits.maximum_command_length
        ):
            raise ProtocolError("a command set is too long or in too many fragments")
        self._command_set += fragment.payload
        if not fragment.is_last:
            return None
        command = decode_command(self._command_set)
        self._command_set, self._fragments = bytearray(), 0
        self._in_data_set = command.has_data_set
        self._context_id = fragment.context_id if command.has_data_set else None
        return CommandReceived(fragment.context_id, command)
