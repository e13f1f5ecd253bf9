"""Personal data that is in the warehouse from before the setting `pii` was changed: named, and taken out by a backfill."""

import shlex
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Final

from loop_returns.dates import in_utc
from loop_returns.extract.state import ShopState
from loop_returns.runs.session import Options, Session
from loop_returns.settings import PiiPolicy, Settings
from loop_returns.tables.catalog import CHILDREN, DATA, KEYS, PARENTS
from loop_returns.tables.privacy import HASHED, HASHED_LENGTH, Privacy, is_personal
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.runs import READS
from loop_returns.tables.schema import Column, Pii, Table, Type
from loop_returns.warehouse.reader import Reader

_BATCH: Final = 100  # values replaced by one statement


@dataclass(frozen=True)
class Leftovers:
    """How many rows hold what the policy does not let land, and the days of the oldest and the newest of them."""

    rows: int
    first: date | None
    last: date | None


def review(session: Session) -> None:
    """Looks whether the warehouse holds what the policy does not let land, and says so in the run's report.

    Once it is found clean, nobody looks again until policy or key change. Where everything is dropped there are no
    fingerprints that another key would not fit.
    """
    if session.options.dry_run:
        return
    with session.warehouse.reader() as reader:
        notice = notice_of(reader, session.state, session.settings, session.options)
    session.run.notices += [] if notice is None else [notice]
    no_key = notice is None and session.settings.pii == "drop"
    session.state = replace(session.state, pii_clean=notice is None, pii_key=None if no_key else session.state.pii_key)


def notice_of(reader: Reader, state: ShopState, settings: Settings, options: Options) -> str | None:
    """What the warehouse holds against the policy, and the backfill that takes it out; None when there is nothing."""
    policy = settings.pii
    if policy == "keep" or (state.pii_clean and state.pii.startswith(policy)):
        return None
    found = leftovers(reader, settings.shop, policy)
    if found is None:
        return None
    what = "that are no fingerprints of `pii_key`" if policy == "hash" else "still"
    given = {"--destination": options.destination, "--database": options.file, "--dataset": options.dataset}
    given |= {"--marts-dataset": options.marts_dataset}
    usual = {"--destination": Options.destination, "--dataset": Options.dataset}
    where = "".join(f" {name} {shlex.quote(one)}" for name, one in given.items() if one and one != usual.get(name))
    first = found.first or settings.start_date.date()
    return (
        f'{found.rows:,} rows hold personal values {what}, from before `pii = "{policy}"`. To take them out: '
        f"loop-returns backfill --from {first} --to {datetime.now(UTC):%Y-%m-%d}{where}"
    )


def redact(session: Session, start: datetime, end: datetime) -> None:
    """Takes personal values out of rows that a backfill of all their days has left: Loop gives these no more.

    Should Loop give one again, it is read like a new row.
    """
    shop, privacy = session.shop, Privacy.of(session.settings)
    if privacy.policy == "keep" or session.state.pii_clean or session.options.dry_run:
        return
    with session.warehouse.reader() as reader:
        found = leftovers(reader, shop, privacy.policy)
        if found is None or (found.first and found.first < start.date()) or (found.last and found.last > end.date()):
            return
        for table, unwanted in _unwanted(reader, privacy.policy).items():
            _redact(reader, table, unwanted, shop, privacy)
    session.run.notices.append(f"Personal values were taken out of {found.rows:,} rows that Loop no longer gives.")
    session.state = replace(session.state, verified=None)  # marts that are tables are behind


def leftovers(reader: Reader, shop: str, policy: PiiPolicy) -> Leftovers | None:
    """What the shop's rows hold against the policy; None when there is nothing."""
    parts: list[str] = []
    for table, unwanted in _unwanted(reader, policy).items():
        rows = f"FROM {reader.name(table.name)} WHERE shop = %s AND ({' OR '.join(unwanted.values())})"
        if table in CHILDREN:  # they have the day of their return
            returns = reader.name(RETURNS.name)
            rows = f"FROM (SELECT return_id {rows}) c LEFT JOIN {returns} r ON r.shop = %s AND r.id = c.return_id"
        day = reader.time("r.created_at" if table in CHILDREN else "created_at")
        if table not in CHILDREN and "created_at" not in table.names:
            day = "CAST(NULL AS TIMESTAMP WITH TIME ZONE)"
        parts.append(f"SELECT count(*), min({day}), max({day}) {rows}")
    sql = " UNION ALL ".join(parts)
    found = reader.rows(sql, *[shop] * sql.count("%s")) if parts else []
    moments = [moment for row in found for moment in row[1:] if moment is not None]
    days = [in_utc(moment).date() for moment in moments]
    number = sum(count for count, *_ in found)
    return Leftovers(number, min(days, default=None), max(days, default=None)) if number else None


def _unwanted(reader: Reader, policy: PiiPolicy) -> dict[Table, dict[Column, str]]:
    """The personal columns of each table, undeclared ones too, with the condition that one holds what must not land."""
    found: dict[Table, dict[Column, str]] = {}
    for table in DATA:
        declared = {column.name: column for column in table.columns}
        for name in sorted(reader.columns([table.name]).get(table.name, ())):
            column = declared.get(name, Column(name, Type.TEXT, "", Pii.UNKNOWN))
            if is_personal(column.pii) and not name.startswith("_dlt_"):
                found.setdefault(table, {})[column] = _condition(reader.column(name), column.type, policy)
    return found


def _condition(column: str, kind: Type, policy: PiiPolicy) -> str:
    if policy == "drop":
        return f"{column} IS NOT NULL"
    text, quote = f"CAST({column} AS VARCHAR)", '"' if kind is Type.JSON else ""
    begins, length = quote + HASHED, HASHED_LENGTH + 2 * len(quote)
    is_hash = f"substr({text}, 1, {len(begins)}) = '{begins}' AND length({text}) = {length}"
    return f"({column} IS NOT NULL AND lower({text}) NOT IN ('', 'n/a') AND NOT ({is_hash}))"


def _redact(reader: Reader, table: Table, unwanted: dict[Column, str], shop: str, privacy: Privacy) -> None:
    """Replaces texts by their fingerprints, or by nothing, and everything else by nothing."""
    name = reader.name(table.name)
    if PARENTS.get(table.name) and table not in CHILDREN:
        reader.execute(f"UPDATE {reader.name(READS.name)} SET _row_hash = NULL WHERE shop = %s", shop)
    if table.name in KEYS:  # so that the row counts as unknown, and nothing can be guessed from its old fingerprint
        reader.execute(f"UPDATE {name} SET _row_hash = NULL WHERE shop = %s AND ({' OR '.join(unwanted.values())})", shop)
    for one, condition in unwanted.items():
        column, where = reader.column(one.name), f"WHERE shop = %s AND {condition}"
        if privacy.policy == "drop" or one.type is not Type.TEXT:
            reader.execute(f"UPDATE {name} SET {column} = NULL {where}", shop)
            continue
        texts = [text for (text,) in reader.rows(f"SELECT DISTINCT {column} FROM {name} {where}", shop)]
        for batch in (texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)):
            cases = " ".join(["WHEN %s THEN %s"] * len(batch))
            pairs = [value for text in batch for value in (text, privacy.hashed(text))]
            among = ", ".join(["%s"] * len(batch))
            replaced = f"UPDATE {name} SET {column} = CASE {column} {cases} END WHERE shop = %s AND {column} IN ({among})"
            reader.execute(replaced, *pairs, shop, *batch)
