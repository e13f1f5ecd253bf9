"""Dagster: tables and marts as assets, runs as materializations, checks as asset checks. Needs the extra `dagster`.

    from loop_returns.dagster import definitions
    defs = definitions(destination="postgres")

That resolves nothing: keys, credentials and files are looked up when an asset is materialized.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import dagster as dg

from loop_returns.api.facts import FIRST_DAY
from loop_returns.errors import ConfigurationError, LockedError, LoopReturnsError
from loop_returns.marts import all_marts
from loop_returns.runs.backfill import backfill
from loop_returns.runs.checks import all_checks
from loop_returns.runs.ledger import Run
from loop_returns.runs.overlaps import ONE_AT_A_TIME
from loop_returns.runs.progress import Silent
from loop_returns.runs.reconcile import reconcile
from loop_returns.runs.session import Options
from loop_returns.runs.sync import sync
from loop_returns.settings import Settings, load
from loop_returns.tables.catalog import TABLES
from loop_returns.tables.runs import RUNS, STALE

_EXIT_CODE: Final = "exit_code"  # the check that fails with every exit code but 0
_BACKFILL: Final = "What was submitted in a month, read again."
_RECONCILE: Final = "What was submitted in the last 30 days, compared with Loop value by value, and repaired."
_BUSY: Final = {"max_retries": 60, "seconds_to_wait": 60}  # while another run is at work
_PASSING: Final = {"max_retries": 3, "seconds_to_wait": 600}  # for what the next run repairs


def settings_of(shop: str) -> Settings:
    """The settings of this folder and environment. Raises ConfigurationError when they are those of another shop."""
    settings = load()
    if settings.shop != shop:
        raise ConfigurationError(
            f"The settings here are those of the shop `{settings.shop}`, and `{shop}` is to be read. Name the shop in "
            "`definitions(shops=…)`; for several, let `definitions(settings=…)` be a function that returns those of each."
        )
    return settings


def definitions(
    *,
    shops: Sequence[str] = ("default",),
    destination: str = "duckdb",
    dataset: str = "loop_returns",
    marts_dataset: str | None = None,
    file: str | None = None,
    settings: Callable[[str], Settings] = settings_of,
    since: date = FIRST_DAY,
    sync_cron: str = "17 * * * *",
    reconcile_cron: str = "43 4 * * 0",
) -> dg.Definitions:
    """Assets, checks and schedules of one dataset; `Definitions.merge` puts those of several together.

    Every asset has a partition for each of `shops`; `settings` returns a shop's settings when one is materialized. The
    asset `backfill` has one for each month of submission (UTC) since `since`, too. `file` is that of DuckDB. The marts are
    in `marts_dataset`, else in `dataset`.
    """
    options = Options(destination=destination, dataset=dataset, file=file, marts_dataset=marts_dataset)
    mirror = _Mirror(options, settings)
    by_shop = dg.StaticPartitionsDefinition([*shops])
    months = dg.MonthlyPartitionsDefinition(f"{since:%Y-%m}-01", end_offset=1)
    again = dg.MultiPartitionsDefinition({"shop": by_shop, "month": months})
    assets = [
        mirror.asset(mirror.sync, by_shop, [*_specs(mirror.options)], [*_check_specs(dataset)]),
        mirror.asset(mirror.backfill, again, [dg.AssetSpec([dataset, "backfill"], description=_BACKFILL)]),
        mirror.asset(mirror.reconcile, by_shop, [dg.AssetSpec([dataset, "reconcile"], description=_RECONCILE)]),
    ]
    schedules = [mirror.schedule(assets[0], sync_cron, shops), mirror.schedule(assets[2], reconcile_cron, shops)]
    return dg.Definitions(assets=assets, schedules=schedules)


@dataclass(frozen=True)
class _Mirror:
    """One dataset, and how the settings of its shops are found."""

    options: Options
    settings: Callable[[str], Settings]

    @property
    def group(self) -> str:
        """The name of its group and of its pool."""
        return re.sub(r"\W", "_", self.options.dataset)

    def asset(
        self,
        work: Callable[[dg.AssetExecutionContext], Iterator[Any]],
        partitions: dg.PartitionsDefinition[Any],
        specs: list[dg.AssetSpec],
        checks: list[dg.AssetCheckSpec] | None = None,
    ) -> dg.AssetsDefinition:
        """The assets that this work materializes, one run at a time."""
        return dg.multi_asset(
            name=f"{self.group}_{work.__name__}",
            group_name=self.group,
            specs=specs,
            check_specs=checks or [dg.AssetCheckSpec(_EXIT_CODE, asset=specs[0].key)],
            partitions_def=partitions,
            backfill_policy=dg.BackfillPolicy.single_run(),
            pool=f"loop_returns/{self.group}",
        )(work)

    def schedule(self, asset: dg.AssetsDefinition, cron: str, shops: Sequence[str]) -> dg.ScheduleDefinition:
        """Materializes the partition of each shop."""
        name = asset.op.name
        job = dg.define_asset_job(f"{name}_job", dg.AssetSelection.assets(*asset.keys))

        def requests() -> list[dg.RunRequest]:
            return [dg.RunRequest(partition_key=shop) for shop in shops]

        return dg.schedule(cron_schedule=cron, job=job, name=f"{name}_schedule")(requests)

    def sync(self, context: dg.AssetExecutionContext) -> Iterator[Any]:
        """Brings the tables up to date."""
        runs = [self._run(context, sync, shop) for shop in context.partition_keys]
        for spec in context.assets_def.specs:
            yield dg.MaterializeResult(asset_key=spec.key, metadata=_metadata(runs, spec.key.path[-1]))
        yield from _verdicts(context, runs)

    def backfill(self, context: dg.AssetExecutionContext) -> Iterator[Any]:
        """Reads the chosen months again, as one range: Dagster puts only months that adjoin into one of its runs."""
        keys = [key.keys_by_dimension for key in context.partition_keys if isinstance(key, dg.MultiPartitionKey)]
        first, last = (datetime.fromisoformat(at(key["month"] for key in keys)).replace(tzinfo=UTC) for at in (min, max))
        span = {"start": first, "end": (last + timedelta(days=31)).replace(day=1) - timedelta(seconds=1)}
        shops = sorted({key["shop"] for key in keys})
        yield from _report(context, [self._run(context, backfill, shop, **span) for shop in shops])

    def reconcile(self, context: dg.AssetExecutionContext) -> Iterator[Any]:
        """Compares the last days."""
        yield from _report(context, [self._run(context, reconcile, shop, days=30) for shop in context.partition_keys])

    def _run(self, context: dg.AssetExecutionContext, work: Callable[..., Run], shop: str, **more: Any) -> Run:
        os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")  # as on the command line
        try:
            return work(self.settings(shop), self.options, progress=_Log(context.log), **more)
        except ConfigurationError as error:
            raise dg.Failure(error.message, allow_retries=False) from error
        except LockedError as error:
            raise dg.RetryRequested(**_BUSY) from error
        except LoopReturnsError as error:
            raise dg.RetryRequested(**_PASSING) from error


class _Log(Silent):
    """Says in Dagster's log what a run does."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def doing(self, *what: object, **_: object) -> None:
        self._log.info(*what)

    note = doing


def _specs(options: Options) -> Iterator[dg.AssetSpec]:
    """Tables and marts as they are declared."""
    fresh = dg.FreshnessPolicy.time_window(fail_window=STALE)
    marts = {mart.name: mart for mart in all_marts()}

    def key(name: str) -> dg.AssetKey:
        return dg.AssetKey([(name in marts and options.marts_dataset) or options.dataset, name])

    def spec(name: str, description: str, columns: Iterable[dg.TableColumn], kind: str, deps: Iterable[str]) -> dg.AssetSpec:
        return dg.AssetSpec(
            key(name),
            description=description,
            deps=[key(one) for one in sorted(deps)],
            metadata={"dagster/column_schema": dg.TableSchema([*columns])},
            kinds={options.destination, kind},
            freshness_policy=fresh,
        )

    for table in TABLES.values():
        columns = [
            dg.TableColumn(one.name, str(one.type), one.description, dg.TableColumnConstraints(nullable=one.nullable))
            for one in table.columns
        ]
        yield spec(table.name, table.description, columns, "table", ())
    for mart in marts.values():
        columns = [dg.TableColumn(name, "?", meaning) for name, meaning in mart.columns.items()]
        text = f"{mart.description}\n\nOne row per {mart.grain}.\n\n" + "\n".join(f"- {one}" for one in mart.answers)
        yield spec(mart.name, text, columns, "view", mart.sources & (TABLES.keys() | marts.keys()))


def _check_specs(dataset: str) -> Iterator[dg.AssetCheckSpec]:
    for name, table in (*all_checks(), (ONE_AT_A_TIME, RUNS.name), (_EXIT_CODE, RUNS.name)):
        yield dg.AssetCheckSpec(name, asset=dg.AssetKey([dataset, table]))


def _report(context: dg.AssetExecutionContext, runs: list[Run]) -> Iterator[Any]:
    """The result of runs that are an asset of their own; the tables into which they brought rows are noted as well."""
    dataset = context.assets_def.key.path[0]
    for run in runs:
        for name in run.tally.new.keys() | run.tally.changed.keys():
            found = _metadata([run], name)
            context.log_event(dg.AssetMaterialization([dataset, name], partition=run.shop, metadata=found))
    yield dg.MaterializeResult(metadata=_metadata(runs, RUNS.name))
    yield from _verdicts(context, runs)


def _metadata(runs: list[Run], name: str) -> dict[str, Any]:
    """What the runs did to a table; the whole account with the record of runs; nothing with a mart."""
    if name == RUNS.name:
        return {"runs": dg.MetadataValue.json([run.record() for run in runs])}
    read = [run.synced_up_to for run in runs if run.synced_up_to is not None]
    up_to = {"dagster/last_updated_timestamp": dg.MetadataValue.timestamp(min(read))} if read else {}
    if name not in TABLES:
        return {**up_to}
    new, changed = sum((run.tally.new for run in runs), Counter()), sum((run.tally.changed for run in runs), Counter())
    return {"rows_new": new[name], "rows_changed": changed[name], **up_to}


def _verdicts(context: dg.AssetExecutionContext, runs: list[Run]) -> Iterator[dg.AssetCheckResult]:
    """The result of each check that the assets have. A run lists those that failed."""
    found = {(one["name"], one["table"]): one for run in runs for one in run.checks}
    said = [text for run in runs for text in (*run.notices, *(one["message"] for one in run.checks))]
    ended: dict[str, Any] = {
        "severity": "error",
        "failed": sum(bool(run.exit_code) for run in runs),
        "message": "\n\n".join(said),
    }
    for spec in context.assets_def.check_specs:
        one = ended if spec.name == _EXIT_CODE else found.get((spec.name, spec.asset_key.path[-1]))
        yield dg.AssetCheckResult(
            passed=not (one and one["failed"]),
            asset_key=spec.asset_key,
            check_name=spec.name,
            severity=dg.AssetCheckSeverity.WARN if one and one["severity"] == "warning" else dg.AssetCheckSeverity.ERROR,
            description=one["message"] if one else None,
            metadata={"failed": one["failed"] if one else 0},
        )
