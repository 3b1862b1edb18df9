"""Networks and their layer tables."""
