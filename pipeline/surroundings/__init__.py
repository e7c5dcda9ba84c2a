"""What surrounds a run, as it is recorded: the environment, the checkout, the script, and the seeds."""
