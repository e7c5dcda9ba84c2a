"""One execution of a step, wherever it happens, and what it says beside its outputs."""
