"""Where trainings run: one interface, plain messages, and its implementations."""
