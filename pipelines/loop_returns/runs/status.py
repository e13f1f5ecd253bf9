"""`status`: what the warehouse has and how fresh it is, read from the warehouse alone.

Nothing is written, no lock is taken, dlt's working folder is not touched and Loop is not asked: it may run at any time.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from loop_returns.dates import in_utc
from loop_returns.errors import LoopReturnsError
from loop_returns.extract.state import ShopState
from loop_returns.runs.ledger import RunJournal
from loop_returns.runs.privacy import notice_of
from loop_returns.runs.session import Options
from loop_returns.settings import Settings
from loop_returns.tables.catalog import DATA, KEYS, OTHERS, TABLES
from loop_returns.tables.runs import RUNS, STALE
from loop_returns.warehouse.lock import holder
from loop_returns.warehouse.reader import Reader, looking

_LOADED: Final = ("done", "drift", "check_failed")  # outcomes after which the warehouse is up to date
_LEDGER: Final = (
    *("run_id", "command", "outcome", "exit_code", "started_at", "finished_at", "error_message"),
    *("requests", "rows_new", "rows_changed", "checks"),
)
_FIRST: Final = "Run `loop-returns sync`, or name what has been synced with --database, --destination, --dataset."
_JSON: Final = ("rows_new", "rows_changed", "checks")
_ADVICE: Final = {  # by outcome
    "failed": "Do what the message says, and run the same command again.",
    "interrupted": "Nothing is lost: run the same command again, and it goes on from there.",
    "killed": "It was killed, or the machine went down. Nothing is lost: run the same command again.",
    "check_failed": "The rows are loaded. Run it again, which checks everything; if the check fails again, run "
    "`loop-returns reconcile`.",
    "drift": "The warehouse differed from the shop, and `reconcile` has repaired it. If that happens often, lengthen "
    "`lookback`.",
}


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
    personal_data: str | None = None  # what the setting `pii` does not let land and is there all the same, and what to do
    backfills: dict[str, int] = field(default_factory=dict)  # an unfinished range -> windows that are done
    last_success: dict[str, Any] | None = None  # of `sync`
    age_seconds: float | None = None  # of `last_success`, from its start
    last_run: dict[str, Any] | None = None
    working: dict[str, Any] | None = None  # the run that is at work from this machine right now

    @property
    def is_empty(self) -> bool:
        """True before anything of this shop was synced; a shop without returns is not empty after its first sync."""
        return self.last_success is None and not any(one.rows or one.deleted for one in self.tables)

    @property
    def is_stale(self) -> bool:
        """True when the last good sync is older than it gets where one runs every day."""
        return self.age_seconds is not None and self.age_seconds > STALE.total_seconds()

    @property
    def advice(self) -> str | None:
        """What to do now; None when all is well."""
        if self.working is not None:
            return "Ask again when the run has ended: only then is the file free to be read." if not self.tables else None
        if self.last_run is not None and self.last_run["outcome"] in _ADVICE:
            return _ADVICE[self.last_run["outcome"]]
        if self.is_stale:
            return f"No sync has gone well for more than {STALE // timedelta(hours=1)} hours: see that the schedule runs."
        return _FIRST if self.is_empty else None

    def record(self) -> dict[str, Any]:
        """The status as JSON can hold it; times as ISO text."""
        more = {"is_stale": self.is_stale, "advice": self.advice}
        return dict(json.loads(json.dumps(asdict(self) | more, default=datetime.isoformat)))


def status(settings: Settings, options: Options) -> Status:
    """Reads the status of the configured shop.

    Raises ConfigurationError when there is no such destination, what `looking` raises when it can't be read;
    the message then ends with the last run that is only known on this machine.
    """
    target = options.target()
    at_work = holder(target)
    base = Status(
        location=str(target.file or target.location),
        dataset=target.dataset,
        shop=settings.shop,
        working=None if at_work is None else asdict(at_work),
    )
    unreported = [run for run in RunJournal(target.folder).unreported() if run["shop"] == settings.shop]
    if target.file is not None and (at_work is not None or not target.file.exists()):
        return _with_runs(base, unreported)  # while a run is at work nobody else can read a DuckDB file
    try:
        with looking(target) as reader:
            state = ShopState.read(reader.state(settings.shop))
            known = replace(
                base,
                tables=[one for table in DATA if (one := _table(reader, table.name, settings.shop)) is not None],
                cursor=state.cursor,
                personal_data=notice_of(reader, state, settings, options),
                backfills={name: len(done) for name, done in state.backfills.items()},
            )
            return _with_runs(known, [*_last_runs(reader, settings.shop), *unreported])
    except LoopReturnsError as error:
        if (last := _with_runs(base, unreported).last_run) is None:
            raise
        how = f"{last['command']} at {last['started_at']:%Y-%m-%d %H:%M:%S} UTC: {last['outcome']}"
        raise type(error)(
            f"{error.message} Not yet in its ledger is {how}. {last['error_message'] or ''}".rstrip()
        ) from error


def shop_state(settings: Settings, options: Options) -> ShopState:
    """The shop's state as the warehouse has it now; empty when there is no warehouse yet. Raises like `status`."""
    target = options.target()
    if target.file is not None and not target.file.exists():
        return ShopState()
    with looking(target) as reader:
        return ShopState.read(reader.state(settings.shop))


def _with_runs(base: Status, runs: list[dict[str, Any]]) -> Status:
    """The status with its last runs; one that is still at work looks killed in the journal and is left out."""
    runs = [{name: _read_value(name, run.get(name)) for name in _LEDGER} for run in runs]
    now = datetime.now(UTC)
    runs.sort(key=lambda run: (run["started_at"] <= now, run["started_at"]))
    if base.working is not None and runs and runs[-1]["outcome"] == "killed" and base.working["command"] != "check":
        runs.pop()
    last_success = next((run for run in reversed(runs) if run["command"] == "sync" and run["outcome"] in _LOADED), None)
    age = None if last_success is None else round((datetime.now(UTC) - last_success["started_at"]).total_seconds(), 1)
    return replace(base, last_success=last_success, age_seconds=age, last_run=runs[-1] if runs else None)


def _table(reader: Reader, name: str, shop: str) -> TableStatus | None:
    newest = f"MAX({reader.time('updated_at')})" if "updated_at" in TABLES[name].names and name in KEYS else "NULL"
    columns = f"COUNT(_deleted_at), {newest}" if name in KEYS else "0, NULL"
    rows = reader.rows(f"SELECT COUNT(*), {columns} FROM {reader.name(name)} WHERE shop = %s", shop)
    if not rows or (TABLES[name] in OTHERS and not rows[0][0]):  # the key may lack its scope
        return None
    count, deleted, latest = rows[0]
    return TableStatus(name, int(count) - int(deleted), int(deleted), latest and in_utc(latest))


def _last_runs(reader: Reader, shop: str) -> list[dict[str, Any]]:
    """The last run, and the last sync that went well."""
    table = reader.name(RUNS.name)
    past = "COALESCE(MAX(CASE WHEN started_at <= %s THEN started_at END), MAX(started_at))"  # not a wrong clock's run
    newest = f"SELECT {past} FROM {table} WHERE shop = %s"
    now = datetime.now(UTC)
    good = f"command = 'sync' AND outcome IN ({', '.join(repr(outcome) for outcome in _LOADED)})"
    sql = (
        f"SELECT {', '.join(_LEDGER)} FROM {table}"
        f" WHERE shop = %s AND (started_at = ({newest}) OR started_at = ({newest} AND {good}))"
    )
    return [dict(zip(_LEDGER, row, strict=True)) for row in reader.rows(sql, shop, *[now, shop] * 2)]


def _read_value(name: str, value: Any) -> Any:
    """The value as it is shown: the journal has times as ISO text, DuckDB has JSON as text, some databases no time zone."""
    if name in {"started_at", "finished_at"} and value is not None:
        return in_utc(datetime.fromisoformat(value) if isinstance(value, str) else value)
    return json.loads(value) if name in _JSON and isinstance(value, str) else value
