"""A study's system attributes, where optuna-dashboard keeps its notes, plots and artifacts.

Optuna reads a study through its object mapper and sets one attribute a transaction. Here those that
belong together are written together, so that no reader finds half a plot, and one can be deleted.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from optuna.storages._rdb import models
from sqlalchemy import Engine, delete, insert, select, update

_table = models.BaseModel.metadata.tables["study_system_attributes"]


class StudyAttributes:
    """The system attributes of one study, as the database has them now."""

    def __init__(self, engine: Engine, study_id: int) -> None:
        self._engine = engine
        self._study_id = study_id

    def read(self) -> dict[str, Any]:
        """All of them."""
        query = select(_table.c.key, _table.c.value_json).where(self._is_ours)
        with self._engine.connect() as connection:
            return {row.key: json.loads(row.value_json) for row in connection.execute(query)}

    def write(self, values: Mapping[str, Any], *, without: Collection[str] = ()) -> int:
        """Set some, delete others, all or nothing; returns how many rows were changed."""
        there = self.read()
        gone = [key for key in without if key in there]
        changed = {k: v for k, v in values.items() if k not in there or there[k] != v}
        if not gone and not changed:
            return 0
        with self._engine.begin() as connection:
            if gone:
                connection.execute(delete(_table).where(self._is_ours, _table.c.key.in_(gone)))
            for key, value in changed.items():
                columns = {"value_json": json.dumps(value)}
                if key in there:
                    statement = update(_table).where(self._is_ours, _table.c.key == key)
                    connection.execute(statement.values(columns))
                else:
                    row = {"study_id": self._study_id, "key": key, **columns}
                    connection.execute(insert(_table).values(row))
        return len(gone) + len(changed)

    @property
    def _is_ours(self) -> Any:
        return _table.c.study_id == self._study_id
