"""DIMSE (PS3.7): commands as values in `messages`, their octets in `codec`, messages from fragments in `assembler`."""
