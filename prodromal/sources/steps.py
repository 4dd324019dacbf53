"""What of an ingest is done, noted in the staging database together with the work itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from prodromal.sources.job import files_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import duckdb

    from prodromal.sources.spec import Source

__all__ = ["Steps", "how_far"]


class Steps:
    """The steps that ended, of this run and of the killed one whose database this is.

    Parameters
    ----------
    connection : DuckDBPyConnection
        The staging database.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        connection.execute("CREATE TABLE IF NOT EXISTS steps (name VARCHAR, told VARCHAR)")
        rows = connection.execute("SELECT name, told FROM steps ORDER BY rowid").fetchall()
        self._told: dict[str, dict[str, Any]] = {name: json.loads(told) for name, told in rows}

    @property
    def names(self) -> tuple[str, ...]:
        """Of all steps that ended, in their order."""
        return tuple(self._told)

    def told(self, name: str) -> dict[str, Any] | None:
        """What a step told when it ended; None if it did not."""
        return self._told.get(name)

    def once(self, name: str, work: Callable[[], Mapping[str, Any] | None]) -> dict[str, Any]:
        """Do a step in one transaction with the note of it, unless it is done; what it told, as JSON gives it back."""
        if name not in self._told:
            self._connection.execute("BEGIN")
            self.note(name, work() or {})
            self._connection.execute("COMMIT")
        return self._told[name]

    def note(self, name: str, told: Mapping[str, Any], connection: duckdb.DuckDBPyConnection | None = None) -> None:
        """Note a step whose work lies outside the database; by another connection while this one is being read."""
        text = json.dumps(told)
        (connection or self._connection).execute("INSERT INTO steps VALUES (?, ?)", [name, text])
        self._told[name] = json.loads(text)


def how_far(steps: Steps, source: Source) -> str:
    """What is done, in words."""
    counted = {kind: sum(name.startswith(kind) for name in steps.names) for kind in ("read: ", "part: ")}
    if source.prepare is None:
        done, total = counted["read: "], f"{sum(len(table.files) for table in source.tables)} files"
    elif steps.told("prepared") is None:
        done, total = counted["read: "], f"{len({path for _, path in files_of(source)})} files"
    else:
        done = sum(steps.told(f"settled: {table.table}") is not None for table in source.tables)
        total = f"{len(source.tables)} tables"
    written = f", {counted['part: ']} parts are written" if counted["part: "] else ""
    return f"{done} of {total} are read{written}"
