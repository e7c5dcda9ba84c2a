"""The graph of a pipeline: traced from calls of its steps, and unfolded while it runs."""
