"""What the commands do: settings and options in, a result on standard output, an exit code out."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from loop_returns.config import Settings, load
from loop_returns.runs.progress import duration, make
from loop_returns.runs.report import show_facts, show_json, show_run, show_table, show_text, show_title, when

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from loop_returns.runs.ledger import Run
    from loop_returns.runs.plan import PlannedRequest
    from loop_returns.runs.progress import Progress
    from loop_returns.runs.session import Options
    from loop_returns.shell import Voice


def sync(options: Options, voice: Voice) -> int:
    """Runs a sync, or shows its plan."""
    from loop_returns.runs import sync as runs

    if options.dry_run:
        settings = _settings(voice, need_key=False)
        return _show_plan(runs.plan(settings, options), settings.requests_per_minute, voice)
    settings = _settings(voice, publish=options.publish)
    return _run(lambda progress: runs.sync(settings, options, progress=progress), voice)


def backfill(options: Options, voice: Voice, *, start: datetime, end: datetime, newest_first: bool, restart: bool) -> int:
    """Runs a backfill, or shows its plan."""
    from loop_returns.runs import backfill as runs

    if options.dry_run:
        settings = _settings(voice, need_key=False)
        planned = runs.plan(settings, options, start=start, end=end)
        return _show_plan(planned, settings.requests_per_minute, voice)
    settings = _settings(voice, publish=options.publish)
    return _run(
        lambda progress: runs.backfill(
            settings, options, start=start, end=end, newest_first=newest_first, restart=restart, progress=progress
        ),
        voice,
    )


def reconcile(options: Options, voice: Voice, *, days: int) -> int:
    """Compares with the shop."""
    from loop_returns.runs.reconcile import reconcile as compare

    settings = _settings(voice, publish=options.publish)
    return _run(lambda progress: compare(settings, options, days=days, progress=progress), voice)


def check(options: Options, voice: Voice) -> int:
    """Looks at key, scopes, API and warehouse."""
    from loop_returns.runs.check import check as look
    from loop_returns.runs.check import worst

    findings = look(_settings(voice), options)
    code = worst(findings)
    if voice.as_json or voice.one_line:
        found = [{**dataclasses.asdict(one), "is_well": one.is_well} for one in findings]
        show_json({"exit_code": code, "findings": found}, one_line=voice.one_line)
        return code
    for one in findings:
        show_facts([("ok" if one.is_well else "TROUBLE", f"{one.subject}: {one.message}")])
    show_text("All is well." if code == 0 else "Not all is well: see above for what to do.")
    return code


def status(options: Options, voice: Voice) -> int:
    """Shows what the warehouse has."""
    from loop_returns.runs.status import status as look

    found = look(_settings(voice, need_key=False), options)
    if voice.as_json or voice.one_line:
        show_json(found.record(), one_line=voice.one_line)
        return 0
    show_title(f"{found.location} · {found.dataset} · shop {found.shop}")
    if found.is_empty:
        show_text("Nothing synced yet. Run `loop-returns sync`.")
    else:
        show_table(
            ("table", "rows", "deleted", "newest"),
            [(one.table, f"{one.rows:,}", f"{one.deleted:,}", when(one.newest)) for one in found.tables],
        )
    show_facts(_status_facts(found))
    return 0


def quieten_dlt(voice: Voice) -> None:
    """Keeps dlt's log to itself unless somebody set its level: what matters in it is raised, and said by us."""
    if not voice.debug and dlt.config.get("runtime.log_level") is None:
        dlt.config["runtime.log_level"] = "CRITICAL"
        Container()[PluggableRunContext].initialize_runtime()


def _settings(voice: Voice, *, need_key: bool = True, publish: str | None = None) -> Settings:
    settings = load(need_key=need_key, publish=publish)
    quieten_dlt(voice)
    return settings


def _status_facts(found: Any) -> Iterator[tuple[str, str]]:
    if found.cursor is not None:
        yield "cursor", when(found.cursor)
    if found.last_success is not None:
        yield "last good sync", f"{_when(found.last_success)}, {duration(found.age_seconds)} ago"
    if found.last_run is not None:
        last = found.last_run
        yield "last run", f"{last['command']} at {_when(last)}: {last['outcome']}"
        if last["error_message"]:
            yield "", str(last["error_message"])
    for name, done in found.backfills.items():
        yield "unfinished", f"backfill {name} ({done} windows done): run the same backfill again to go on"
    if found.working is not None:
        yield "at work now", f"{found.working['command']}, process {found.working['pid']}"


def _when(run: Mapping[str, Any]) -> str:
    return when(datetime.fromisoformat(run["started_at"]))


def _run(work: Callable[[Progress], Run], voice: Voice) -> int:
    with closing(make(voice.log_format)) as progress:
        run = work(progress)
    show_run(run, as_json=voice.as_json, one_line=voice.one_line)
    return run.exit_code or 0


def _show_plan(planned: Sequence[PlannedRequest], a_minute: int, voice: Voice) -> int:
    if voice.as_json or voice.one_line:
        requests = [dataclasses.asdict(one) for one in planned]
        show_json({"least_requests": len(requests), "requests": requests}, one_line=voice.one_line)
        return 0
    rows = [
        (one.method, one.path, " ".join(f"{name}={value}" for name, value in one.params.items()), one.note)
        for one in planned
    ]
    show_table(("method", "path", "parameters", ""), rows)
    show_text(
        f"At least {len(planned):,} requests (full pages lead to more), "
        f"{duration(len(planned) / a_minute * 60)} at {a_minute} a minute. Nothing was asked or loaded."
    )
    return 0
