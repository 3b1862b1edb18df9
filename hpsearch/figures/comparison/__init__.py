"""The figures of a comparison, one a file, as those of a study are."""
