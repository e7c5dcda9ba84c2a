"""Runs: each step of a graph decided, executed and recorded, until its end."""
