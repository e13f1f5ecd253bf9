"""The account of one run, and the ledger table that keeps them all, failed and killed runs too.

A run is noted on this machine before it starts, and in the warehouse when it ends. What could not be written there (the
destination was away, the process was killed) is written by the next run.
"""

import os
import platform
import socket
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa

from loop_returns import __version__, marts
from loop_returns.errors import CancelledError, LockedError, LoopReturnsError
from loop_returns.tables.catalog import arrow_schema
from loop_returns.tables.chunk import Tally
from loop_returns.tables.runs import RUNS
from loop_returns.tables.values import to_json
from loop_returns.warehouse.failures import unwritable, was_interrupted

_JSON: Final = ("rows_new", "rows_changed", "resources", "drift", "checks", "new_columns", "notices")


@dataclass
class Run:
    """What one run did. Filled while it works; `outcome` and `exit_code` when it ends."""

    command: str
    shop: str
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    outcome: str = "running"  # done, drift, check_failed, failed, interrupted, killed
    exit_code: int | None = None
    error_class: str | None = None
    error_message: str | None = None
    windows: int = 0
    requests: int = 0
    retries: int = 0
    too_many_requests: int = 0
    edge_checks: int = 0
    tally: Tally = field(default_factory=Tally)
    resources: dict[str, str] = field(default_factory=dict)  # resource -> read, partly, refused, failed
    drift: dict[str, Counter[str]] = field(default_factory=dict)  # table -> {"missing": 1, "changed": 2, "deleted": 0}
    checks: list[dict[str, Any]] = field(default_factory=list)  # name, table, severity, failed, message
    new_columns: list[str] = field(default_factory=list)  # table.column
    notices: list[str] = field(default_factory=list)
    synced_up_to: datetime | None = None  # Loop's clock when a sync began that has read the returns
    notices_up_to: datetime | None = None  # the same of the shipping notices
    cursor_before: datetime | None = None
    cursor_after: datetime | None = None
    timezone: str | None = None  # the setting

    ahead: timedelta = timedelta()  # this machine's clock, of the one that the times go by

    @property
    def seconds(self) -> float:
        """How long the run has taken so far, or took."""
        return ((self.finished_at or datetime.now(UTC) - self.ahead) - self.started_at).total_seconds()

    def go_by(self, now: datetime) -> None:
        """Goes by another clock than this machine's, so that runs of machines with wrong clocks stand in order."""
        self.ahead = datetime.now(UTC) - now
        self.started_at -= self.ahead

    def end(self, error: BaseException | None = None) -> None:
        """Notes that the run has ended, and how."""
        self.finished_at = datetime.now(UTC) - self.ahead
        if error is None:
            if self.outcome == "running":
                self.outcome, self.exit_code = "done", 0
            return
        self.error_class, self.synced_up_to, self.notices_up_to = type(error).__name__, None, None
        if isinstance(error, GeneratorExit | CancelledError) or was_interrupted(error):
            self.outcome, self.exit_code, self.error_message = "interrupted", CancelledError.exit_code, "Interrupted."
        else:
            self.outcome, self.cursor_after = "failed", None
            self.exit_code, self.error_message = 1, repr(error)
            if isinstance(error, LoopReturnsError):
                self.exit_code, self.error_message = error.exit_code, error.message

    def record(self) -> dict[str, Any]:
        """The run as JSON can hold it: the ledger's columns by name, times as ISO text."""
        own = {name: value for name, value in vars(self).items() if name not in ("tally", "ahead")}
        return {
            **{name: value.isoformat() if isinstance(value, datetime) else value for name, value in own.items()},
            "older_copies": self.tally.older,
            "unchanged": self.tally.unchanged,
            "rows_new": self.tally.new,
            "rows_changed": self.tally.changed,
            "seconds": round(self.seconds, 3),
            "host": socket.gethostname(),
            "version": __version__,
            "marts_version": marts.VERSION,
            "dlt_version": version("dlt"),
            "python_version": platform.python_version(),
        }


def to_table(records: Iterable[dict[str, Any]]) -> pa.Table:
    """Ledger records as the Arrow table that is loaded into `_loop_sync_runs`."""
    schema = arrow_schema(RUNS.name)
    rows = [{one.name: _value(one, record.get(one.name)) for one in schema} for record in records]
    return pa.Table.from_pylist(rows, schema=schema)


def _value(field: pa.Field, value: Any) -> Any:
    if value is None:
        return None
    if field.name in _JSON:
        return to_json(value)
    if pa.types.is_timestamp(field.type):
        return datetime.fromisoformat(value)
    return Decimal(str(value)) if pa.types.is_decimal(field.type) else value


class RunJournal:
    """Runs that are not yet in the warehouse's ledger, one small file each in the warehouse's folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "runs"

    def note(self, run: Run) -> None:
        """Keeps the run as it is now. Raises ConfigurationError when it cannot be written, WarehouseError on a full disk."""
        path = self._folder / f"{run.run_id}.json"
        part = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(msgspec.json.encode(run.record()))
            os.replace(part, path)  # noqa: PTH105 - Path.replace is the same call; this one says that it is atomic
        except OSError as error:
            what = f"The run cannot be noted in {self._folder}"
            raise unwritable(what, error, instead="set DLT_DATA_DIR to another folder") from error

    @contextmanager
    def noting(self, run: Run) -> Iterator[None]:
        """Notes a run that ends before it has the warehouse, such as when that is away; not one that another holds up."""
        try:
            yield
        except BaseException as error:
            if run.finished_at is None and not isinstance(error, LockedError):
                run.end(error)
                with suppress(LoopReturnsError):  # `error` says what is wrong
                    self.note(run)
            raise

    def unreported(self) -> list[dict[str, Any]]:
        """Records of earlier runs. One that is still `running` was killed: only one run works at a time."""
        records = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                record: dict[str, Any] = msgspec.json.decode(path.read_bytes())
            except (OSError, msgspec.DecodeError):  # a full disk left it incomplete
                continue
            if record["outcome"] == "running":
                record |= {"outcome": "killed", "finished_at": datetime.now(UTC).isoformat(), "error_class": "Killed"}
            records.append(record)
        return records

    def acknowledge(self, run_ids: Iterable[str]) -> None:
        """Drops runs that are in the warehouse's ledger now."""
        for run_id in run_ids:
            (self._folder / f"{run_id}.json").unlink(missing_ok=True)
