"""The decision to reuse or to execute, and what is foreseen of it."""
