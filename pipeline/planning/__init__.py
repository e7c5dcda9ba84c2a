"""What to run and how, and what an earlier run says of it."""
