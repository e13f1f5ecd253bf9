"""Each data check passes on a sound warehouse, finds its fault in a broken one, and says what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from dlt.destinations.exceptions import DatabaseUndefinedRelation

from loop_returns.runs.checks import run_checks
from loop_returns.sandbox import Shop
from tests.support.driving import NOW
from tests.support.golden_shop import SHOP, at, line, ret
from tests.support.warehouses import (
    duckdb_pipeline,
    load,
    postgres,  # noqa: F401 - a fixture
    postgres_pipeline,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import dlt

    from tests.support.driving import Driver

Tables = dict[str, list[dict[str, Any]]]


BOTH = pytest.mark.parametrize("pipeline", ["duckdb", pytest.param("postgres", marks=pytest.mark.long)], indirect=True)


@pytest.fixture
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> dlt.Pipeline:
    if getattr(request, "param", "duckdb") == "duckdb":
        return duckdb_pipeline(tmp_path)
    return postgres_pipeline(request.getfixturevalue("postgres"), tmp_path, dataset=f"checks_{tmp_path.name}")


def failed(pipeline: dlt.Pipeline, shop: str = "north") -> dict[tuple[str, str], tuple[str, int]]:
    """What fails: severity and number of rows by check and table."""
    return {(c.name, c.table): (c.severity, c.failed) for c in run_checks(pipeline, shop=shop) if c.failed}


def sound() -> Tables:
    """A small shop without a fault."""
    returns = [ret("R1", "closed", "refund", "01-10 12:00", refund="30"), ret("R2", "open", "refund", "01-10 12:00")]
    lines = [line("L1", "R1", "A", "A1", "10", refund="10"), line("L2", "R1", "A", "A1", "20", refund="20")]
    return {"returns": returns, "return_line_items": lines}


@BOTH
def test_sound(pipeline: dlt.Pipeline):
    """On sound data, every check passes and says so; each table has its key checked."""
    load(pipeline, sound())
    checks = run_checks(pipeline, shop="north")
    assert [check for check in checks if check.failed] == []
    assert {check.message for check in checks} == {"All rows pass."}
    assert {check.table for check in checks if check.name == "unique_key"} >= {*SHOP, "return_state_changes"}
    assert len({(check.name, check.table) for check in checks}) == len(checks)


def test_empty(pipeline: dlt.Pipeline):
    """On a warehouse without rows every check passes; before the first load there are none."""
    assert run_checks(pipeline, shop="north") == []
    load(pipeline, {})
    assert failed(pipeline) == {}
    assert len(run_checks(pipeline, shop="north")) > 20


@BOTH
def test_repeated_key(pipeline: dlt.Pipeline):
    """A row that is there twice is an error."""
    load(pipeline, sound())
    with pipeline.sql_client() as client:
        client.execute_sql("CREATE TABLE copy AS SELECT * FROM return_line_items WHERE line_item_id = 'L1'")
        client.execute_sql("INSERT INTO return_line_items SELECT * FROM copy")
    found = failed(pipeline)
    assert found["unique_key", "return_line_items"] == ("error", 1)
    assert found["refunds_add_up", "returns"] == ("warning", 1)  # 40 by line, 30 by return


def test_empty_key(pipeline: dlt.Pipeline):
    """A key column without a value is an error, also where the shop itself is missing."""
    load(pipeline, sound())
    with pipeline.sql_client() as client:
        for column in ("shop", "line_item_id"):
            client.execute_sql(f"ALTER TABLE return_line_items ALTER COLUMN {column} DROP NOT NULL")
        client.execute_sql("UPDATE return_line_items SET line_item_id = NULL WHERE line_item_id = 'L1'")
        client.execute_sql("UPDATE return_line_items SET shop = NULL WHERE line_item_id = 'L2'")
    assert failed(pipeline)["key_not_null", "return_line_items"] == ("error", 2)


def test_orphans(tmp_path: Path):
    """A child of a return that is not there is an error, also when another shop has a return of that id."""
    pipeline = duckdb_pipeline(tmp_path)
    keys = {"return_line_items": "line_item_id", "return_exchanges": "exchange_id", "return_refunds": "refund_id"}
    tables = {name: [{"shop": name, "return_id": "R9", key: "1"}] for name, key in keys.items()}
    tables["return_labels"] = [{"shop": "return_labels", "return_id": "R9", "label_index": 0}]
    load(pipeline, tables | {"returns": [ret("R9", "open", "refund", "01-10 12:00", shop="south")]})
    for name in tables:
        assert failed(pipeline, name) == {("no_orphans", name): ("error", 1)}
    assert failed(pipeline, "south") == {}


def test_refunds(tmp_path: Path):
    """A closed return's refund that no reading of its lines explains is a warning; open ones are not looked at."""
    fails = [{"refund": "30.02"}, {"refund": "36", "handling_fee": "5"}, {"refund": "20", "refund_shipping_total": "10"}]
    shipped = {"refund_shipping_total": "4", "refund_shipping_tax_total": "0.20"}
    passes: list[dict[str, Any]] = [
        {"refund": "30.01"},  # a cent, from rounding tax by line
        {"refund": "25", "handling_fee": "5"},  # the fee taken off the return's refund only
        {"refund": "34.20", **shipped},
        {"refund": "29.20", "handling_fee": "5", **shipped},
        {"refund": "99", "state": "open"},  # not final yet
        {"refund": "99", "state": "cancelled"},
        {"refund": "99", "_deleted_at": at("01-11 00:00")},
        {"refund": None},
    ]
    tables: Tables = {"returns": [], "return_line_items": []}
    for number, changes in enumerate([*fails, *passes]):  # each case is a shop of its own
        returned, *_ = sound()["returns"]
        tables["returns"].append(returned | {"shop": str(number)} | changes)
        tables["return_line_items"] += [one | {"shop": str(number)} for one in sound()["return_line_items"]]
    pipeline = duckdb_pipeline(tmp_path)
    load(pipeline, tables)
    for number in range(len(fails)):
        assert failed(pipeline, str(number)) == {("refunds_add_up", "returns"): ("warning", 1)}, number
    for number in range(len(fails), len(fails) + len(passes)):
        assert failed(pipeline, str(number)) == {}, number


@BOTH
def test_words_and_values(pipeline: dlt.Pipeline):
    """A state nobody knew and a value nobody could read are warnings; a missing state is one for returns only."""
    tables = sound()
    tables["returns"].append(ret("R3", "partial", "refund", "01-10 12:00") | {"_unparsed": '{"total": "many"}'})
    tables["returns"].append(ret("R4", "open", "refund", "01-10 12:00") | {"state": None})
    notice = {"shop": "north", "id": "1", "return_line_item_id": "L1"}
    tables["advanced_shipping_notices"] = [notice, {**notice, "id": "2", "state": "lost", "_unparsed": "{}"}]
    load(pipeline, tables)
    assert failed(pipeline) == {
        ("known_states", "returns"): ("warning", 2),
        ("known_states", "advanced_shipping_notices"): ("warning", 1),
        ("all_parsed", "returns"): ("warning", 1),
        ("all_parsed", "advanced_shipping_notices"): ("warning", 1),
    }


@BOTH
def test_impossible_times(pipeline: dlt.Pipeline):
    """What was delivered, refunded or closed before the return was submitted, or ordered after it, is a warning by table."""
    tables = sound()
    processed = {"outcomes_processed_at_refund_processed": at("01-09 00:00")}
    tables["returns"].append(ret("R3", "closed", "refund", "01-10 12:00", **processed))
    for name, key, values in (("return_labels", "label_index", [0, 1]), ("return_refunds", "refund_id", ["1", "2"])):
        tables[name] = [{"shop": "north", "return_id": "R1", key: value} for value in values]
    early, late = at("01-09 12:00"), at("01-11 12:00")
    tables["return_labels"][0] |= {"status": "Delivered", "updated_at": early}
    tables["return_labels"][1] |= {"status": "new", "updated_at": early}
    tables["return_refunds"][0] |= {"created_at": early, "provider_created_at": late}
    tables["return_refunds"][1] |= {"created_at": early}
    dates = [{"date_delivered": early}, {"closed_at": early}, {"provider_created_at": late}, {"provider_created_at": early}]
    row = {"shop": "north", "return_line_item_id": "L1", "state": "open", "created_at": at("01-10 12:00")}
    tables["advanced_shipping_notices"] = [row | {"id": str(n)} | date for n, date in enumerate(dates)]
    load(pipeline, tables)
    numbers = {"returns": 1, "return_labels": 1, "return_refunds": 1, "advanced_shipping_notices": 3}
    assert failed(pipeline) == {("possible_times", table): ("warning", n) for table, n in numbers.items()}


@BOTH
def test_refunds_of_void_returns(pipeline: dlt.Pipeline):
    """A cancelled or expired return with a date of a refund is a warning: the marts leave its amounts out."""
    processed = {"outcomes_processed_at_refund_processed": at("01-11 12:00")}
    returns = [
        ret("R1", "expired", "refund", "01-10 12:00", **processed),
        ret("R2", "cancelled", "refund", "01-10 12:00"),
        ret("R3", "closed", "refund", "01-10 12:00", **processed),
        ret("R4", "cancelled", "refund", "01-10 12:00"),
    ]
    load(pipeline, {"returns": returns, "return_refunds": [{"shop": "north", "return_id": "R2", "refund_id": "1"}]})
    assert failed(pipeline) == {("void_without_refund", "returns"): ("warning", 2)}


@BOTH
def test_other_shops(pipeline: dlt.Pipeline):
    """A check looks at the shop that it is asked about, whatever its name, and at no other."""
    name = "o'neil; -- {shop} %s"
    orphan = {"return_id": "R9", "refund_id": "1"}
    load(pipeline, {"return_refunds": [{"shop": name, **orphan}, {"shop": name, **orphan, "refund_id": "2"}]})
    assert failed(pipeline, "north") == {}
    assert failed(pipeline, name) == {("no_orphans", "return_refunds"): ("error", 2)}


def test_messages(pipeline: dlt.Pipeline):
    """A failed check names the rows, the table and the next step."""
    load(pipeline, {"return_refunds": [{"shop": "north", "return_id": "R9", "refund_id": "1"}]})
    (check,) = [check for check in run_checks(pipeline, shop="north") if check.failed]
    assert check.message.startswith("1 row of return_refunds ")
    assert "loop-returns reconcile" in check.message


def test_a_table_that_is_not_there(pipeline: dlt.Pipeline):
    """Nothing passes unseen: a table that somebody drops while a run goes on is the database's own error."""
    load(pipeline, sound())
    with pipeline.sql_client() as client:
        client.execute_sql("DROP TABLE return_labels")
    with pytest.raises(DatabaseUndefinedRelation, match="return_labels"):
        run_checks(pipeline, shop="north")


@pytest.mark.long
@BOTH
def test_only_what_was_loaded(pipeline: dlt.Pipeline):
    """Of named loads every fault is found, also one that takes an older row to see; older faults are left alone."""
    load(pipeline, sound())
    with pipeline.sql_client() as client:
        client.execute_sql("UPDATE returns SET state = 'odd' WHERE id = 'R2'")
    later = [ret("R3", "odd", "refund", "01-11 12:00"), ret("R4", "closed", "refund", "01-11 12:00", refund="9")]
    lines = [line("L3", "R9", "A", "A1", "10"), line("L4", "R4", "A", "A1", "10", refund="10")]
    loads = load(pipeline, {"returns": later, "return_line_items": lines})
    with pipeline.sql_client() as client:
        client.execute_sql("CREATE TABLE copy AS SELECT * FROM return_line_items WHERE line_item_id IN ('L1', 'L4')")
        client.execute_sql("UPDATE copy SET _dlt_load_id = 'older'")
        client.execute_sql("INSERT INTO return_line_items SELECT * FROM copy")
    found = {(c.name, c.table): c.failed for c in run_checks(pipeline, shop="north", loads=loads) if c.failed}
    assert found == {
        ("unique_key", "return_line_items"): 1,  # L4 twice; L1 twice too, but no row of it is new
        ("no_orphans", "return_line_items"): 1,
        ("refunds_add_up", "returns"): 1,
        ("known_states", "returns"): 1,
    }
    everything = {(c.name, c.table): c.failed for c in run_checks(pipeline, shop="north") if c.failed}
    assert everything["unique_key", "return_line_items"] == 2
    assert everything["known_states", "returns"] == 2
    assert [c for c in run_checks(pipeline, shop="north", loads=["none"]) if c.failed] == []


@pytest.mark.long
def test_runs_check_what_they_load(drive: Callable[..., Driver]):
    """After a sound run the next sync looks at what it loads; a fault it finds is looked for until it is gone."""
    driver = drive(Shop.generate(seed=3, returns=20, days=60, now=NOW))
    driver.sync()
    with duckdb.connect(str(driver.file)) as connection:
        connection.execute("USE loop_returns; INSERT INTO return_line_items SELECT * FROM return_line_items LIMIT 1")
    driver.shop.add_returns(1)
    assert driver.sync().outcome == "done", "the fault is in an older row"
    assert driver.reconcile(1).outcome == "check_failed", "reconcile looks at everything"
    assert driver.sync().outcome == "check_failed", "and now so does everybody"
    driver.reconcile()
    assert driver.sync().outcome == "done"
