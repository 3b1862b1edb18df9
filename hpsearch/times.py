"""Moments: stored as UTC without offset, shown as local time with it.

Optuna stores them as we do, but gives a trial's as local time without offset.
"""

from datetime import UTC, datetime


def utc_of_trial(local: datetime) -> datetime:
    """A trial's time as our tables would have it."""
    return local.astimezone(UTC).replace(tzinfo=None)


def show_time(utc: datetime) -> str:
    """A stored time as ISO 8601, to the second, where this machine is."""
    return utc.replace(tzinfo=UTC).astimezone().isoformat(timespec="seconds")


def show_trial_time(local: datetime | None) -> str:
    """A trial's time likewise; nothing for one that has not come."""
    return "" if local is None else show_time(utc_of_trial(local))
