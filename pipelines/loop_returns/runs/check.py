"""`check`: asks Loop and the warehouse for as little as shows that a run would work, and says what would not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from loop_returns.api.client import LoopClient
from loop_returns.api.errors import Busy, ChangeSettings, LoopReturnsError
from loop_returns.api.pace import Pace
from loop_returns.api.page import page_of
from loop_returns.api.params import smallest_params
from loop_returns.runs.progress import duration
from loop_returns.settings import ASN_PATH, DATE_FORMAT, RETURNS_PATH
from loop_returns.warehouse.dlt_internals import sql_client
from loop_returns.warehouse.failures import explain
from loop_returns.warehouse.lock import hold
from loop_returns.warehouse.reader import SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from loop_returns.config import Settings
    from loop_returns.runs.session import Options
    from loop_returns.warehouse.destination import Target

_ATTEMPTS: Final = 3
_BUDGET: Final = 60.0  # seconds for one request with its retries: somebody is waiting for the answer
_PROBE: Final = "_loop_check"  # a table that lives for a moment
_TOO_FAR: Final = timedelta(minutes=5)  # between the clocks


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `exit_code` is 0 when it is well, otherwise that of the error."""

    subject: str
    message: str
    exit_code: int = 0

    @property
    def is_well(self) -> bool:
        """True when nothing has to be done."""
        return self.exit_code == 0


def check(settings: Settings, options: Options) -> list[Finding]:
    """Looks at each resource (one small request) and at the destination (a table that is made, filled and dropped).

    Trouble becomes a finding; only settings that no client can be made of raise ChangeSettings.
    """
    pace = Pace(settings.requests_per_minute)
    client = LoopClient(
        api_key=settings.api_key,
        base_url=settings.base_url,
        pace=pace,
        attempts=_ATTEMPTS,
        budget_seconds=_BUDGET,
    )
    with client:
        findings = [
            _judged("returns", lambda: _returns(client)),
            _judged("advanced_shipping_notices", lambda: _notices(client)),
        ]
    return [*findings, _judged("warehouse", lambda: _warehouse(options))]


def worst(findings: Iterable[Finding]) -> int:
    """The exit code: 0 when all is well, 2 when the operator must change something, else that of the first trouble."""
    codes = [finding.exit_code for finding in findings if not finding.is_well]
    return ChangeSettings.exit_code if ChangeSettings.exit_code in codes else (codes[0] if codes else 0)


def _judged(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, look())
    except LoopReturnsError as error:
        return Finding(subject, error.message, error.exit_code)


def _returns(client: LoopClient) -> str:
    here = datetime.now(UTC)
    answer = client.get(RETURNS_PATH, params=smallest_params(here), expect="list")
    page_of(answer.body)
    ahead = timedelta(0) if answer.server_time is None else here - answer.server_time
    if abs(ahead) > _TOO_FAR:
        which = "ahead of" if ahead > timedelta(0) else "behind"
        return (
            f"Loop answers. This machine's clock is {duration(abs(ahead).total_seconds())} {which} Loop's; runs go by "
            "Loop's clock, but set this one right all the same."
        )
    return "Loop answers, and the key may read returns."


def _notices(client: LoopClient) -> str:
    today = datetime.now(UTC).date()
    day: dict[str, str | int] = {"from": f"{today - timedelta(days=1):{DATE_FORMAT}}", "to": f"{today:{DATE_FORMAT}}"}
    client.get(ASN_PATH, params=day, expect="list")
    return "Loop answers, and the key may read shipping notices."


def _warehouse(options: Options) -> str:
    """Makes, fills and drops a table in the dataset and in dlt's staging dataset, where every run merges."""
    target = options.target()
    where = str(target.file or target.location)
    try:
        with hold(target, command="check"):
            _probe(target)
    except Busy as busy:  # whoever holds it writes to it
        return f"Not looked at, because a run is at work on {where} right now ({busy.command or 'unknown'})."
    except LoopReturnsError:
        raise
    except Exception as error:  # each destination has errors of its own
        raise explain(error, target) from error
    return f"{where} can be written, dataset `{target.dataset}`."


def _probe(target: Target) -> None:
    client: Any = sql_client(target.destination, target.dataset, SOURCE)
    with client.sql_client as sql:
        _write(sql)
        with sql.with_staging_dataset():
            _write(sql)


def _write(sql: Any) -> None:
    if not sql.has_dataset():
        sql.create_dataset()
    table = sql.make_qualified_table_name(_PROBE)
    sql.execute_sql(f"DROP TABLE IF EXISTS {table}")  # of a check that was killed
    sql.execute_sql(f"CREATE TABLE {table} (a INTEGER)")
    try:
        sql.execute_sql(f"INSERT INTO {table} VALUES (1)")  # the name is from here
    finally:
        sql.execute_sql(f"DROP TABLE {table}")
