"""`check`: asks Loop and the warehouse for as little as shows that a run would work, and says what would not."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from loop_returns.api.client import LoopClient
from loop_returns.api.facts import ASN_PATH, DATE_FORMAT
from loop_returns.api.pages import page_of
from loop_returns.api.rate_limit import RateLimiter
from loop_returns.errors import (
    AccessDeniedError,
    ConfigurationError,
    DatabaseInUseError,
    LockedError,
    LoopReturnsError,
    WarehouseError,
)
from loop_returns.extract.resource_tasks import ResourceTask, ask, range_task
from loop_returns.runs.notices import without_notices
from loop_returns.runs.progress import duration
from loop_returns.runs.same_shop import refuse_another_shop
from loop_returns.runs.session import Options
from loop_returns.runs.status import shop_state
from loop_returns.settings import Settings
from loop_returns.tables.privacy import Privacy, new_key
from loop_returns.tables.resource import Reads, Resource
from loop_returns.tables.resources import RESOURCES
from loop_returns.warehouse.dlt_internals import sql_client, stored_schema
from loop_returns.warehouse.failures import explain
from loop_returns.warehouse.lock import hold
from loop_returns.warehouse.reader import Reader
from loop_returns.warehouse.repair import dropped

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

    Where the warehouse has returns of the shop, Loop is asked whether it knows one.
    Trouble becomes a finding; only settings that no client can be made of raise ConfigurationError.
    """
    client = LoopClient(
        api_key=settings.api_key,
        base_url=settings.base_url,
        rate_limiter=RateLimiter(settings.requests_per_minute),
        attempts=_ATTEMPTS,
        budget_seconds=_BUDGET,
    )
    with client:
        findings = [returns := _checked("returns", lambda: _returns(client))]
        findings.append(_checked("advanced_shipping_notices", lambda: _notices(client, key_works=returns.is_well)))
        if returns.is_well:  # else nothing could be told of the rest
            findings += [_other(client, one) for one in RESOURCES]
        if settings.pii == "hash":
            findings.append(_checked("personal data", lambda: _fingerprints(settings, options)))
        return [*findings, _checked("warehouse", lambda: _warehouse(options, client, shop=settings.shop))]


def worst(findings: Iterable[Finding]) -> int:
    """The exit code: 0 when all is well, 2 when the operator must change something, else that of the first trouble."""
    codes = [finding.exit_code for finding in findings if not finding.is_well]
    return ConfigurationError.exit_code if ConfigurationError.exit_code in codes else (codes[0] if codes else 0)


def _checked(subject: str, look_at: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, look_at())
    except LoopReturnsError as error:
        return Finding(subject, error.message, error.exit_code)


def _returns(client: LoopClient) -> str:
    now = datetime.now(UTC)
    response = client.probe()
    page_of(response.body)
    ahead = timedelta(0) if response.server_time is None else now - response.server_time
    if abs(ahead) > _TOO_FAR:
        which = "ahead of" if ahead > timedelta(0) else "behind"
        return (
            f"Loop answers. This machine's clock is {duration(abs(ahead).total_seconds())} {which} Loop's; runs go by "
            "Loop's clock, but set this one right all the same."
        )
    return "Loop answers, and the key may read returns."


def _notices(client: LoopClient, *, key_works: bool) -> str:
    today = datetime.now(UTC).date()
    day: dict[str, str | int] = {"from": f"{today - timedelta(days=1):{DATE_FORMAT}}", "to": f"{today:{DATE_FORMAT}}"}
    try:
        client.get(ASN_PATH, params=day, expect="list")
    except AccessDeniedError as error:
        raise (without_notices() if key_works else error) from error
    return "Loop answers, and the key may read shipping notices."


def _other(client: LoopClient, resource: Resource) -> Finding:
    """Whether the key may read another resource. It need not: runs leave out what it may not."""
    if resource.parent is not None:  # what belongs to single rows has their scope
        when = "" if resource.by_default else ", where `extra_resources` or `--only` names it"
        return Finding(resource.name, f"Comes with {resource.parent.name} (scope {resource.scope}){when}.")
    now = datetime.now(UTC)
    start = now - timedelta(days=1)
    task = ResourceTask(resource) if resource.reads is Reads.SNAPSHOT else range_task(resource, start, now)
    try:
        ask(task, client)
    except AccessDeniedError:
        return Finding(resource.name, f"Not read, as the key lacks the scope {resource.scope}; the rest does without it.")
    except ConfigurationError as error:
        return Finding(resource.name, f"Not read: {error.message}")
    except LoopReturnsError as error:
        return Finding(resource.name, error.message, error.exit_code)
    return Finding(resource.name, f"Loop answers, and the key may read it (scope {resource.scope}).")


def _fingerprints(settings: Settings, options: Options) -> str:
    """Looks at the key of the fingerprints, and makes one where there is none."""
    try:
        privacy = Privacy.of(settings)
    except ConfigurationError as error:
        raise ConfigurationError(f'{error} Here is one: pii_key = "{new_key()}"') from None
    with suppress(DatabaseInUseError):  # a run is at work, and it has looked
        shop_state(settings, options).under(privacy)
    return "Personal values become fingerprints, with your `pii_key`. Keep a copy of it: another key gives others."


def _warehouse(options: Options, client: LoopClient, *, shop: str) -> str:
    """Makes, fills and drops a table in each dataset that runs write to: in dlt's staging dataset every run merges."""
    target = options.target()
    where = str(target.file or target.location)
    try:
        with hold(target, command="check", wait=options.wait):
            destination: Any = sql_client(target.destination, target.dataset)
            with destination.sql_client as sql:
                _try_table(sql)
                lost = dropped(Reader(destination), stored_schema(destination))
                for dataset in filter(None, (sql.staging_dataset_name, target.marts)):
                    with sql.with_alternative_dataset_name(dataset):
                        _try_table(sql)
                refuse_another_shop(client, Reader(destination), shop=shop)
        if lost:
            raise WarehouseError(
                f"The warehouse lacks what it had: {', '.join(sorted(lost))}. Run `loop-returns sync`: it makes "
                "them again, and fills them with what Loop still has."
            )
    except LockedError as busy:  # whoever holds it writes to it
        return f"Not looked at, because a run is at work on {where} right now ({busy.command or 'unknown'})."
    except LoopReturnsError:
        raise
    except Exception as error:  # each destination has errors of its own
        raise explain(error, target) from error
    marts = f", marts in `{target.marts}`" if target.marts else ""
    return f"{where} can be written, dataset `{target.dataset}`{marts}. {target.untried or ''}".rstrip()


def _try_table(sql: Any) -> None:
    if not sql.has_dataset():
        sql.create_dataset()
    table = sql.make_qualified_table_name(_PROBE)
    sql.execute_sql(f"DROP TABLE IF EXISTS {table}")  # of a check that was killed
    sql.execute_sql(f"CREATE TABLE {table} (a INTEGER)")
    try:
        sql.execute_sql(f"INSERT INTO {table} VALUES (1)")  # the name is from here
    finally:
        sql.execute_sql(f"DROP TABLE {table}")
