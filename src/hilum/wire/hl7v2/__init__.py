"""HL7 v2 as pure translation: MLLP framing, messages, acknowledgements, and their mapping to core values."""
