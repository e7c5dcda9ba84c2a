"""Earlier runs once more: rerun, reproduced, or recomputed for what was evicted."""
