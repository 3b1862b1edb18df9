"""What a study can be shown as: its state and its tables. No plotting in here."""
