"""The other resources in anyone's dlt pipeline: lists, ranges, and transformers of the rows that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt
import pytest

from loop_returns import loop_returns_source
from loop_returns.sandbox import Shop
from tests.support.driving import NOW
from tests.support.others import CHEAP, COLUMNS, differences

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

EACH = ("return_notes", "return_details")


@pytest.fixture
def driver(drive: Callable[..., Driver]) -> Driver:
    """A shop with some of everything, and the file that a pipeline of somebody's own loads."""
    shop = Shop.generate(seed=4, returns=12, days=200, now=NOW)
    shop.add_shipment(shop.ids()[:2])
    shop.add_note(shop.ids()[0])
    return drive(shop)


def load(driver: Driver, *names: str) -> Any:
    """Runs a pipeline with the default resources and these; returns how many rows came, by table."""
    given = {"api_key": driver.sandbox.api_key, "base_url": driver.sandbox.url, "start_date": "2025-01-01"}
    pipeline = dlt.pipeline("theirs", destination=dlt.destinations.duckdb(str(driver.file)), dataset_name=driver.dataset)
    with driver._at_its_time():
        source = loop_returns_source(**given)  # type: ignore[arg-type]
        for name in names:
            source.resources[name].selected = True
        pipeline.run(source, loader_file_format="parquet")
    return pipeline.last_trace.last_normalize_info.row_counts


@pytest.mark.long
def test_what_is_selected(driver: Driver):
    """What takes a request for each return is read only where somebody selects it; what changed replaces what was."""
    rows = load(driver)
    assert not differences(driver, CHEAP)
    assert not {*EACH} & {name for name, count in rows.items() if count}
    assert not [seen for seen in driver.sandbox.requests if seen.path.endswith(("/notes", "/details"))]
    driver.shop.change_webhook(driver.shop.webhooks[0]["id"], status="inactive")
    driver.shop.add_label_requests(2)
    driver.shop.add_shipment_items(2)
    driver.shop.tick(3600)
    load(driver)
    assert not differences(driver, CHEAP)


@pytest.mark.long
def test_transformers(driver: Driver):
    """Notes and details are those of the returns that a run reads, once each."""
    load(driver, *EACH)
    assert not differences(driver, (*COLUMNS,))
    asked = [seen.path for seen in driver.sandbox.requests if seen.path.endswith("/notes")]
    assert len(asked) == len(set(asked)) == len(driver.shop)
    driver.shop.change(3)
    driver.shop.tick(60)
    driver.sandbox.clear_log()
    load(driver, *EACH)
    assert not differences(driver, (*COLUMNS,))
    assert 3 <= sum(seen.path.endswith("/notes") for seen in driver.sandbox.requests) < len(driver.shop)


def test_a_key_with_one_scope(driver: Driver):
    """A pipeline whose key may read returns alone goes on, with their tables and empty others."""
    driver.quirk(scopes=frozenset({"returns"}))
    rows = load(driver)
    assert rows["returns"] == len(driver.shop)
    assert driver.query("SELECT count(*) FROM destinations") == [(0,)]
