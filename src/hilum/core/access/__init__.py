"""Who belongs: peers, users, tokens, sessions, and the one decision function."""
