"""Data sets: files checked and decoded once, splits, and tensors that stay on the device."""
