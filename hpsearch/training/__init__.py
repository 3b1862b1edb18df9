"""Training one network: the epochs, optimisers and schedules, precision, checkpoints."""
