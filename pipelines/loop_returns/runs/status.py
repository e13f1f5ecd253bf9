"""`status`: what the warehouse has and how fresh it is, read from the warehouse alone.

Nothing is written, no lock is taken, dlt's working folder is not touched and Loop is not asked: it may run at any time.
"""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import dlt
import duckdb
from dlt.common.exceptions import DltException
from dlt.common.schema import Schema
from dlt.common.versioned_state import decompress_state
from dlt.dataset.utils import get_destination_clients
from dlt.destinations.exceptions import DatabaseUndefinedRelation

from loop_returns.api.errors import WarehouseHeld, WarehouseTrouble
from loop_returns.runs.destination import find_target
from loop_returns.runs.ledger import Notebook
from loop_returns.runs.lock import holder
from loop_returns.runs.warehouse import PIPELINE, SOURCE
from loop_returns.tables.catalog import DATA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loop_returns.config import Settings
    from loop_returns.runs.destination import Target
    from loop_returns.runs.session import Options

_LOADED: Final = ("done", "drift", "check_failed")  # outcomes after which the warehouse is up to date
_PATIENCE: Final = 10.0  # seconds to wait for a load that has the DuckDB file open
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
    target = find_target(destination=options.destination, dataset=options.dataset, file=options.file)
    by = holder(target)
    base = Status(
        location=str(target.file or target.location),
        dataset=target.dataset,
        shop=settings.shop,
        working=None if by is None else asdict(by),
    )
    unheard = [run for run in Notebook(target.folder).unheard() if run["shop"] == settings.shop]
    if target.file is not None and not target.file.exists():
        return _with_runs(base, unheard)
    with _reading(target) as client:
        shop = client.capabilities.escape_literal(settings.shop)
        memory = _memory(client, settings.shop)
        cursor = memory.get("cursor")
        known = replace(
            base,
            tables=[found for table in DATA if (found := _table(client, table.name, shop)) is not None],
            cursor=None if cursor is None else datetime.fromisoformat(cursor),
            backfills={name: len(done) for name, done in memory.get("backfills", {}).items()},
        )
        return _with_runs(known, [*_runs(client, shop), *unheard])


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


def _table(client: Any, name: str, shop: str) -> TableStatus | None:
    newest = "MAX(updated_at)" if name in {"returns", "advanced_shipping_notices"} else "NULL"
    deleted = "COUNT(_deleted_at)" if name in {"returns", "advanced_shipping_notices"} else "0"
    sql = f"SELECT COUNT(*), {deleted}, {newest} FROM {{}} WHERE shop = {shop}"  # the shop is escaped
    rows = _query(client, sql, name)
    if not rows:
        return None
    count, gone, moment = rows[0]
    return TableStatus(name, int(count) - int(gone), int(gone), _utc(moment))


def _runs(client: Any, shop: str) -> list[dict[str, Any]]:
    """The last run, and the last sync that went well."""
    columns = ", ".join(_LEDGER)
    words = ", ".join(f"'{word}'" for word in _LOADED)
    found: dict[str, dict[str, Any]] = {}
    for condition in ("", f" AND command = 'sync' AND outcome IN ({words})"):
        where = f"shop = {shop}{condition}"
        newest = f"(SELECT MAX(started_at) FROM {{0}} WHERE {where})"  # the shop is escaped
        sql = f"SELECT {columns} FROM {{0}} WHERE {where} AND started_at = {newest}"  # as above
        for row in _query(client, sql, "_loop_sync_runs"):
            run = dict(zip(_LEDGER, row, strict=True))
            run["started_at"], run["finished_at"] = _iso(run["started_at"]), _iso(run["finished_at"])
            found[run["run_id"]] = run
    return list(found.values())


def _memory(client: Any, shop: str) -> dict[str, Any]:
    """What dlt's state in the warehouse holds about the shop: the cursor and unfinished backfills."""
    try:
        stored = client.get_stored_state(PIPELINE)
    except DatabaseUndefinedRelation:
        return {}
    if stored is None:
        return {}
    state: dict[str, Any] = dict(decompress_state(stored.state))
    shops: dict[str, Any] = state.get("sources", {}).get(SOURCE, {}).get("shops", {})
    return dict(shops.get(shop, {}))


def _query(client: Any, sql: str, table: str) -> list[tuple[Any, ...]]:
    try:
        with client.sql_client.execute_query(sql.format(client.sql_client.make_qualified_table_name(table))) as cursor:
            return list(cursor.fetchall())
    except DatabaseUndefinedRelation:
        return []


@contextmanager
def _reading(target: Target) -> Iterator[Any]:
    """dlt's client of the destination, connected; DuckDB's file is opened for reading only."""
    try:
        if target.file is None:
            yield from _connected(target.destination, target.dataset)
            return
        with closing(_open_duckdb(target.file)) as connection:
            yield from _connected(dlt.destinations.duckdb(connection), target.dataset)
    except (DltException, duckdb.Error, OSError) as error:
        line = " ".join(str(error).split())[:300].rstrip(".")
        raise WarehouseTrouble(
            f"The warehouse {target.location} cannot be read: {line}. "
            "See that it is up and that this user may read it, and ask again."
        ) from error


def _connected(destination: Any, dataset: str) -> Iterator[Any]:
    client: Any = get_destination_clients(Schema(SOURCE), destination, dataset)[0]
    with client.sql_client:
        yield client


def _open_duckdb(file: Path) -> duckdb.DuckDBPyConnection:
    """A connection that cannot write; waits a little for a load that has the file open."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return duckdb.connect(str(file), read_only=True)
        except duckdb.IOException as error:
            if "lock" not in str(error):
                raise
            if time.monotonic() > end:
                raise WarehouseHeld(
                    f"A program is writing to {file}, and DuckDB lets nobody read meanwhile. If it is a run of "
                    "loop-returns, ask again when it has ended; readers can use a read copy (see `--publish`)."
                ) from error
        time.sleep(0.2)


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
