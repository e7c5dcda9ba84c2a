"""What the declaration of a step says: its parameters, outputs, policy and attempts."""
