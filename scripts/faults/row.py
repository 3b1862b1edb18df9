"""What came of a scenario: one row of the table."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """Counts of what happened, and in words what ought not to have."""

    scenario: str
    faults: int = 0  # that were injected
    lost: int = 0  # trials that are missing, did not finish, or failed against the contract
    duplicated: int = 0  # trials that share a number or a configuration, or are too many
    ended_by_contract: int = 0  # trials that three dead workers or a time limit ended
    wrong_epochs: int = 0  # missing, unlike Optuna's, or unlike an undisturbed training's
    recoveries_s: list[float] = field(default_factory=list)  # see recoveries.py
    broken: list[str] = field(default_factory=list)  # every promise that was not kept
    remark: str = ""
    skipped: str = ""  # why nothing was done

    @property
    def is_clean(self) -> bool:
        """Whether everything was as it must be."""
        return not (self.lost or self.duplicated or self.wrong_epochs or self.broken)

    @property
    def median_s(self) -> float | None:
        """The middle one of the recoveries."""
        return statistics.median(self.recoveries_s) if self.recoveries_s else None

    @property
    def largest_s(self) -> float | None:
        """The longest of the recoveries."""
        return max(self.recoveries_s, default=None)


def add_up(rows: Sequence[Row], *, remark: str) -> Row:
    """One row of a scenario that has had several searches."""
    return Row(
        rows[0].scenario,
        faults=sum(row.faults for row in rows),
        lost=sum(row.lost for row in rows),
        duplicated=sum(row.duplicated for row in rows),
        ended_by_contract=sum(row.ended_by_contract for row in rows),
        wrong_epochs=sum(row.wrong_epochs for row in rows),
        recoveries_s=[seconds for row in rows for seconds in row.recoveries_s],
        broken=[sentence for row in rows for sentence in row.broken],
        remark=remark,
    )
