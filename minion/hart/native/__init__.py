"""The native engine: an interpreter in C, written at build time by way of the semantics' source."""
