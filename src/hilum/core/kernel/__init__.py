"""What all capabilities share: identifiers, codes, errors, events, the caller, the transaction."""
