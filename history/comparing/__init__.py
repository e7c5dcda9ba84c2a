"""Comparing what happened: two runs, two step runs, two artifact versions; and what explains what changed."""
