"""The patient index: records of issuers, and the person they point to."""
