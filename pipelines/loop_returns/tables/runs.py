"""The project's own tables: the ledger of runs, the history of states and labels, and what was asked for one by one."""

from datetime import timedelta
from typing import Final

from loop_returns.tables.schema import LOAD_ID, RETURN_ID, ROW_HASH, SHOP, Column, Table, Type, own

STALE: Final = timedelta(hours=26)  # a daily sync, and some time for it to run

STATE_CHANGES: Final = Table(
    name="return_state_changes",
    description="One row per change of a return's state that a run saw. The API itself keeps no such history.",
    key=("shop", "return_id", "updated_at", "to_state"),
    columns=(
        SHOP,
        RETURN_ID,
        own("from_state", Type.TEXT, "The state in which the warehouse or this run last saw the return."),
        own("to_state", Type.TEXT, "The state it is in now.", nullable=False),
        own("observed_at", Type.TIMESTAMP, "When the run saw it, by Loop's clock."),
        own("updated_at", Type.TIMESTAMP, "The return's `updated_at` in the new state.", nullable=False),
        LOAD_ID,
    ),
)


LABEL_CHANGES: Final = Table(
    name="return_label_changes",
    description=(
        "One row per report of a carrier that a run saw in place of an earlier one, on a return or in the shipping notices. "
        "The API itself keeps only the latest."
    ),
    key=("shop", "source", "return_id", "line_item_id", "updated_at", "to_status"),
    columns=(
        SHOP,
        own("source", Type.TEXT, "`returns` or `advanced_shipping_notices`: where it was seen.", nullable=False),
        own("return_id", Type.TEXT, "The return; in notices their `id`, which may be the return's or not.", nullable=False),
        own(
            "line_item_id",
            Type.TEXT,
            "The unit, in notices; empty on returns, which show their latest label.",
            nullable=False,
        ),
        own("from_status", Type.TEXT, "The status of the label before."),
        own("from_updated_at", Type.TIMESTAMP, "When the carrier had reported that."),
        own("to_status", Type.TEXT, "The status now; empty where there is none.", nullable=False),
        own("observed_at", Type.TIMESTAMP, "When the run saw it, by Loop's clock."),
        own("updated_at", Type.TIMESTAMP, "When the carrier reported it.", nullable=False),
        LOAD_ID,
    ),
)


READS: Final = Table(
    name="_loop_reads",
    description="One row per thing that was asked about by itself, such as a return whose notes were read.",
    key=("shop", "resource", "id"),
    columns=(
        SHOP,
        own("resource", Type.TEXT, "What was read: return_notes, return_details, …", nullable=False),
        own("id", Type.TEXT, "The return or shipment that it was read for.", nullable=False),
        own("parent_updated_at", Type.TIMESTAMP, "Its `updated_at` at that time; another one makes it due again."),
        own("parent_hash", Type.TEXT, "Its `_row_hash` at that time, by which a shipment that has changed is known."),
        own("read_at", Type.TIMESTAMP, "When a run asked about it last, by Loop's clock."),
        ROW_HASH,
        LOAD_ID,
    ),
)


def _count(name: str, description: str) -> Column:
    return own(name, Type.INTEGER, description)


RUNS: Final = Table(
    name="_loop_sync_runs",
    description="One row per run of a command that reads the shop, failed and killed runs too.",
    key=("shop", "run_id"),
    columns=(
        SHOP,
        own("run_id", Type.TEXT, "Id of the run.", nullable=False),
        own("command", Type.TEXT, "sync, backfill or reconcile."),
        own("started_at", Type.TIMESTAMP, "When it started, by this machine's clock; by Loop's where they are days apart."),
        own("finished_at", Type.TIMESTAMP, "When it ended; for a killed run, when the next run found it."),
        own("outcome", Type.TEXT, "running, done, drift, check_failed, failed, interrupted or killed."),
        own("exit_code", Type.INTEGER, "The exit code of the command; null for a killed run."),
        own("error_class", Type.TEXT, "The kind of failure; null when it went well."),
        own("error_message", Type.TEXT, "What the run said about it."),
        _count("windows", "Windows of time that were read whole."),
        _count("requests", "Requests sent, retries included."),
        _count("retries", "Requests that had to be repeated."),
        _count("too_many_requests", "Answers 429: over the rate limit."),
        _count("edge_checks", "Seconds read again because a page ended inside them."),
        _count("older_copies", "Copies that were older than what the warehouse had, and were left out."),
        _count("unchanged", "Rows read that the warehouse had already, value by value."),
        own("rows_new", Type.JSON, "Rows that were new, by table."),
        own("rows_changed", Type.JSON, "Rows that replaced older ones, by table."),
        own(
            "resources",
            Type.JSON,
            "What the run asked for, by resource: read, partly, refused (the key lacks the scope) or failed.",
        ),
        own("drift", Type.JSON, "What reconcile found, by table: missing, changed, deleted."),
        own("checks", Type.JSON, "Data checks after the load: name, severity, rows that fail."),
        own("new_columns", Type.JSON, "Columns that landed though nobody had declared them, as table.column."),
        own("notices", Type.JSON, "What else the operator should know."),
        own("synced_up_to", Type.TIMESTAMP, "The moment, by Loop's clock, up to which a sync has read the returns."),
        own(
            "notices_up_to", Type.TIMESTAMP, "The moment up to which it has read the shipping notices; null when it did not."
        ),
        own("cursor_before", Type.TIMESTAMP, "The sync cursor before the run."),
        own("cursor_after", Type.TIMESTAMP, "The sync cursor after the run."),
        own("timezone", Type.TEXT, "The setting `timezone`: where the days of the shop's reports begin."),
        own("seconds", Type.DECIMAL, "How long it took."),
        own("host", Type.TEXT, "The machine it ran on."),
        own("version", Type.TEXT, "Version of loop-returns."),
        _count("marts_version", "Version of the marts: another one where a column, a key or a meaning of them has changed."),
        own("dlt_version", Type.TEXT, "Version of dlt."),
        own("python_version", Type.TEXT, "Version of Python."),
        LOAD_ID,
    ),
)
