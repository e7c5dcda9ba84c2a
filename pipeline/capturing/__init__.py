"""What steps print and log, kept in order while it still shows."""
