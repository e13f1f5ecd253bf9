"""`status`: what the warehouse has and how fresh it is, read from the warehouse alone.

Nothing is written, no lock is taken, dlt's working folder is not touched and Loop is not asked: it may run at any time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from loop_returns.extract.state import ShopState
from loop_returns.runs.ledger import Notebook
from loop_returns.tables.catalog import DATA
from loop_returns.warehouse.lock import holder
from loop_returns.warehouse.reader import looking

if TYPE_CHECKING:
    from loop_returns.config import Settings
    from loop_returns.runs.session import Options
    from loop_returns.warehouse.reader import Reader

_LOADED: Final = ("done", "drift", "check_failed")  # outcomes after which the warehouse is up to date
_LEDGER: Final = ("run_id", "command", "outcome", "exit_code", "started_at", "finished_at", "error_message")


@dataclass(frozen=True)
class TableStatus:
    """One table: rows that Loop has, rows that it no longer has, and the newest change."""

    table: str
    rows: int
    deleted: int
    newest: datetime | None  # the newest updated_at; None for an empty table or one that has no such column


@dataclass(frozen=True)
class Status:
    """What the warehouse knows about one shop. Everything is empty before the first sync."""

    location: str
    dataset: str
    shop: str
    tables: list[TableStatus] = field(default_factory=list)
    cursor: datetime | None = None
    backfills: dict[str, int] = field(default_factory=dict)  # an unfinished range -> windows that are done
    last_success: dict[str, Any] | None = None  # of `sync`
    age_seconds: float | None = None  # of `last_success`, from its start
    last_run: dict[str, Any] | None = None
    working: dict[str, Any] | None = None  # the run that is at work from this machine right now

    @property
    def is_empty(self) -> bool:
        """True before anything of this shop was loaded."""
        return not any(one.rows or one.deleted for one in self.tables)

    def record(self) -> dict[str, Any]:
        """The status as JSON can hold it; times as ISO text."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def status(settings: Settings, options: Options) -> Status:
    """Reads the status of the configured shop.

    Raises ChangeSettings when there is no such destination, WarehouseTrouble or WarehouseHeld when it can't be read.
    """
    target = options.target()
    by = holder(target)
    base = Status(
        location=str(target.file or target.location),
        dataset=target.dataset,
        shop=settings.shop,
        working=None if by is None else asdict(by),
    )
    unheard = [run for run in Notebook(target.folder).unheard() if run["shop"] == settings.shop]
    if target.file is not None and (by is not None or not target.file.exists()):
        return _with_runs(base, unheard)  # while a run is at work nobody else can read a DuckDB file
    with looking(target) as reader:
        state = ShopState.read(reader.state(settings.shop))
        known = replace(
            base,
            tables=[found for table in DATA if (found := _table(reader, table.name, settings.shop)) is not None],
            cursor=state.cursor,
            backfills={name: len(done) for name, done in state.backfills.items()},
        )
        return _with_runs(known, [*_runs(reader, settings.shop), *unheard])


def remembered(settings: Settings, options: Options) -> ShopState:
    """The shop's state as the warehouse has it now; empty when there is no warehouse yet. Raises like `status`."""
    target = options.target()
    if target.file is not None and not target.file.exists():
        return ShopState()
    with looking(target) as reader:
        return ShopState.read(reader.state(settings.shop))


def _with_runs(base: Status, runs: list[dict[str, Any]]) -> Status:
    """The status with its last runs; one that is still at work looks killed in the notebook and is left out."""
    runs = sorted((_picked(run) for run in runs), key=lambda run: str(run["started_at"]))
    if base.working is not None and runs and runs[-1]["outcome"] == "killed":
        runs.pop()
    good = [run for run in runs if run["command"] == "sync" and run["outcome"] in _LOADED]
    return replace(
        base,
        last_success=good[-1] if good else None,
        age_seconds=_age(good[-1]) if good else None,
        last_run=runs[-1] if runs else None,
    )


def _table(reader: Reader, name: str, shop: str) -> TableStatus | None:
    newest = "MAX(updated_at)" if name in {"returns", "advanced_shipping_notices"} else "NULL"
    deleted = "COUNT(_deleted_at)" if name in {"returns", "advanced_shipping_notices"} else "0"
    rows = reader.rows(f"SELECT COUNT(*), {deleted}, {newest} FROM {reader.name(name)} WHERE shop = %s", shop)
    if not rows:
        return None
    count, gone, moment = rows[0]
    return TableStatus(name, int(count) - int(gone), int(gone), _utc(moment))


def _runs(reader: Reader, shop: str) -> list[dict[str, Any]]:
    """The last run, and the last sync that went well."""
    columns = ", ".join(_LEDGER)
    words = ", ".join(f"'{word}'" for word in _LOADED)
    found: dict[str, dict[str, Any]] = {}
    for condition in ("", f" AND command = 'sync' AND outcome IN ({words})"):
        table, where = reader.name("_loop_sync_runs"), f"shop = %s{condition}"
        newest = f"(SELECT MAX(started_at) FROM {table} WHERE {where})"
        for row in reader.rows(f"SELECT {columns} FROM {table} WHERE {where} AND started_at = {newest}", shop, shop):
            run = dict(zip(_LEDGER, row, strict=True))
            run["started_at"], run["finished_at"] = _iso(run["started_at"]), _iso(run["finished_at"])
            found[run["run_id"]] = run
    return list(found.values())


def _picked(run: dict[str, Any]) -> dict[str, Any]:
    return {name: run[name] for name in _LEDGER}


def _age(run: dict[str, Any]) -> float:
    return round((datetime.now(UTC) - datetime.fromisoformat(run["started_at"])).total_seconds(), 1)


def _utc(moment: datetime | None) -> datetime | None:
    return moment and (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))


def _iso(moment: datetime | None) -> str | None:
    utc = _utc(moment)
    return None if utc is None else utc.isoformat()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value
