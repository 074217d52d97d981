"""What the HTTP doors share: who calls, which trace, what an error becomes, what may be answered."""
