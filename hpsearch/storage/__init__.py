"""The study database: Optuna's tables, ours beside them, and the lease of a running search."""
