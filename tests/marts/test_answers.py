"""The marts that need other returns than the golden shop's say what `golden/answers/` says, in DuckDB and in PostgreSQL."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING

import pytest

from loop_returns import marts
from loop_returns.errors import ConfigurationError
from loop_returns.marts.outside import Given
from loop_returns.settings import Settings
from tests.support.golden_answers import ANSWERED, ANSWERS, OUTSIDE
from tests.support.golden_shop import golden, written
from tests.support.warehouses import (
    duckdb_pipeline,
    load,
    postgres,  # noqa: F401 - a fixture
    postgres_pipeline,
    select,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import dlt


MARTS = {  # of each question
    folder.name: sorted(file.stem for file in folder.glob("*.txt")) for folder in ANSWERED.iterdir() if folder.is_dir()
}
KEYS = {mart.name: mart.key for mart in marts.all_marts()}


def outside(pipeline: dlt.Pipeline, question: str) -> Given:
    """Makes the tables that settings name for a question, in a schema of somebody else's; returns the settings."""
    tables = OUTSIDE.get(question, {})
    schema = "shoppers" if question == "cohorts" else "platform"  # two questions have orders
    with pipeline.sql_client() as client:
        client.execute_sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for name, rows in tables.items():
            client.execute_sql(f"DROP TABLE IF EXISTS {schema}.{name} CASCADE")
            client.execute_sql(f"CREATE TABLE {schema}.{name} AS {rows}")
    return Given({name: f"{schema}.{name}" for name in tables})


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def pipelines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dlt.Pipeline]:
    """The warehouse of a question, made when it is asked for."""

    @cache
    def made(question: str) -> dlt.Pipeline:
        folder = tmp_path_factory.mktemp(question)
        pipeline = duckdb_pipeline(folder)
        if request.param == "postgres":
            pipeline = postgres_pipeline(request.getfixturevalue("postgres"), folder, dataset=f"answers_{question}")
        load(pipeline, ANSWERS[question])
        marts.refresh(pipeline, given=outside(pipeline, question))
        return pipeline

    return made


@pytest.mark.parametrize("question", sorted(MARTS))
def test_rows(pipelines: Callable[[str], dlt.Pipeline], question: str):
    """Marts have the rows that were worked out by hand, no more and no fewer, whatever the zone of the session.

    The key of each tells its rows apart and is nowhere null; so is its key of one column, where it has one.
    """
    for mart in MARTS[question]:
        columns, expected = golden(mart)
        for zone in ("UTC", "Pacific/Auckland"):
            with pipelines(question).sql_client() as client:
                client.execute_sql(f"SET TIME ZONE '{zone}'")
                rows = client.execute_sql(f"SELECT {', '.join(columns)} FROM {mart}")
            assert sorted([written(value) for value in row] for row in rows or ()) == expected, (mart, zone)
        single = [column for column in columns if column.endswith("_key")][:1]
        for key in (KEYS[mart], single or KEYS[mart]):
            found = select(pipelines(question), f"SELECT {', '.join(key)} FROM {mart}")
            assert found, mart
            assert len(set(found)) == len(found), mart
            assert not any(value is None for row in found for value in row), mart


def test_dates(pipelines: Callable[[str], dlt.Pipeline]):
    """Dates have each day from the year before the first return to the year after the last, as Python has it."""
    columns = (
        "day",
        "year",
        "quarter",
        "month",
        "month_start",
        "month_end",
        "week_start",
        "iso_week",
        "weekday",
        "is_weekend",
    )
    found = sorted(select(pipelines("names"), f"SELECT {', '.join(columns)} FROM dim_date"))
    days = [date(2025, 1, 1) + timedelta(days=n) for n in range(3 * 365)]
    assert found == [
        (
            day,
            day.year,
            (day.month + 2) // 3,
            day.month,
            day.replace(day=1),
            day.replace(day=monthrange(day.year, day.month)[1]),
            day - timedelta(days=day.weekday()),
            day.isocalendar().week,
            day.isoweekday(),
            day.weekday() > 4,
        )
        for day in days
    ]


def test_naive_join(pipelines: Callable[[str], dlt.Pipeline]):
    """Order lines joined to returned units as they are count a line once for each unit; the report counts it once."""
    naive = """
        SELECT sum(o.units) FROM platform.orders AS o JOIN return_line_items AS l
        ON l.shop = o.shop AND l.provider_line_item_id = cast(o.order_line_id AS varchar)
        JOIN fct_returns AS f ON f.shop = l.shop AND f.return_id = l.return_id
        WHERE o.shop = 'west' AND o.order_line_id = 101 AND NOT f.is_void"""
    assert select(pipelines("rates"), naive) == [(15,)]
    report = "SELECT units_sold FROM rpt_return_rates WHERE shop = 'west' AND month = '2025-11-01' AND variant_id = '71'"
    assert select(pipelines("rates"), report) == [(8,)]


def test_orders_that_cannot_be_read(pipelines: Callable[[str], dlt.Pipeline]):
    """A setting that names no table, or one without the columns, is refused by name, and the marts stay as they are."""
    pipeline = pipelines("rates")
    before = select(pipeline, "SELECT count(*) FROM rpt_return_rates")
    for place in ("platform.nothing", f"{pipeline.dataset_name}.returns"):
        with pytest.raises(ConfigurationError, match=r"`orders` names .*ordered_at"):
            marts.refresh(pipeline, given=Given({"orders": place}))
    assert select(pipeline, "SELECT count(*) FROM rpt_return_rates") == before


def test_label_rates_in_cents(pipelines: Callable[[str], dlt.Pipeline]):
    """A shop whose labels are priced in cents says so in a setting, and the report has them in its currency."""
    pipeline, settings = pipelines("shipping"), Settings(api_key="", label_rate_unit="cents")
    sql = "SELECT sum(label_cost), sum(label_cost_void), sum(handling_fees) FROM rpt_shipping_costs"
    ordinary = select(pipeline, sql)[0]
    assert marts.refresh(pipeline, given=marts.given_by(settings))
    found = select(pipeline, sql)[0]
    marts.refresh(pipeline)
    assert found == (ordinary[0] / 100, ordinary[1] / 100, ordinary[2])
