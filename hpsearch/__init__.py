"""Hyperparameter search for image classifiers: from a study file to a tested winner."""

__version__ = "0.1.0"
