"""The recipe for dbt, and the numbers that MetricFlow makes of the marts.

dbt and MetricFlow live in an environment of their own, which `.ci/engines` makes; `DBT` is the path of dbt's command.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from loop_returns.docgen.semantic_models import SPINE, declared, semantic_models
from loop_returns.marts import arrow_schemas
from loop_returns.sandbox import Shop
from tests.docgen.test_blocks import blocks
from tests.docgen.test_documents import page, section
from tests.support.driving import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.driving import Driver

yaml = pytest.importorskip("yaml")  # comes with dlt
RECIPES = "pipelines/docs/recipes.md"
DBT = os.environ.get("DBT") or shutil.which("dbt")
OUTSIDE = """
    CREATE SCHEMA platform;
    CREATE TABLE platform.refunds (shop TEXT, refund_id TEXT, amount DECIMAL(18, 4));
    CREATE TABLE platform.orders (
        shop TEXT, order_id TEXT, order_line_id TEXT, product_id TEXT, variant_id TEXT, units INTEGER, amount DECIMAL(18, 4),
        currency TEXT, ordered_at TIMESTAMPTZ)"""
SOLD = """
    INSERT INTO platform.refunds SELECT shop, provider_refund_id, 12.34 FROM return_refunds;
    INSERT INTO platform.orders
    SELECT shop, return_id, provider_line_item_id, product_id, variant_id, 3, 100, currency, submitted_at - INTERVAL 9 DAY
    FROM fct_return_lines QUALIFY row_number() OVER (PARTITION BY shop, provider_line_item_id ORDER BY return_id) = 1"""
MARTS = {  # for each semantic model: what it is grouped by, and the same from a report
    "fct_returns": (
        "metric_time__day,return__shop,return__return_type,return__currency",
        """
        SELECT day AS metric_time__day, shop AS return__shop, return_type AS return__return_type,
            currency AS return__currency, returns, returns_cancelled + returns_expired AS returns_void,
            returns_with_exchange, returns_with_refund, returns_with_credit, avg_days_to_deliver, returns_delivered,
            avg_days_to_refund, returns_refunded, avg_days_to_close, returns_close_known, returned_value, retained_revenue,
            retained_as_exchange, retained_as_credit, refunded, refunded_evidenced, upsell, handling_fees, retained_ratio,
            refunded / nullif(returned_value, 0) AS refunded_ratio,
            returns_with_refund / nullif(returns, 0) AS refund_share,
            returns_with_exchange / nullif(returns, 0) AS exchange_share
        FROM rpt_returns_daily WHERE date_basis = 'submitted'""",
    ),
    "fct_return_lines": (
        "metric_time__month,returned_unit__shop,returned_unit__currency,returned_unit__return_type,returned_unit__top_reason",
        """
        SELECT month AS metric_time__month, shop AS returned_unit__shop, currency AS returned_unit__currency,
            return_type AS returned_unit__return_type, parent_reason AS returned_unit__top_reason,
            sum(units_returned) AS units_returned, sum(returned_value) AS units_value, sum(refunded) AS units_refunded,
            sum(refunded) / nullif(sum(returned_value), 0) AS units_refunded_ratio
        FROM rpt_return_reasons GROUP BY ALL""",
    ),
    "fct_refunds": (
        "return,refund__currency",
        """
        SELECT return_key AS "return", currency AS refund__currency, refunds, refunds AS refunds_priced, refund_paid
        FROM rpt_refund_reconciliation WHERE refunds > 0""",
    ),
    "fct_return_shipments": (
        "metric_time__month,label__shop,label__carrier,label__return_type,label__currency",
        """
        SELECT month AS metric_time__month, shop AS label__shop, replace(carrier, '(unknown)', '(none)') AS label__carrier,
            return_type AS label__return_type, currency AS label__currency, labels, delivered AS labels_delivered,
            avg_days_to_deliver AS avg_label_days_to_deliver, measured AS labels_measured, median_days_in_transit,
            p90_days_in_transit, measured_in_transit AS labels_measured_in_transit
        FROM rpt_carrier_performance""",
    ),
    "rpt_return_rates": (
        "metric_time__month,sale__shop,sale__product_id,sale__variant_id,sale__currency",
        """
        SELECT month AS metric_time__month, shop AS sale__shop, product_id AS sale__product_id,
            variant_id AS sale__variant_id, currency AS sale__currency,
            units_sold, units_returned AS sold_returned, units_returned_30 AS sold_returned_30,
            units_returned_60 AS sold_returned_60, units_returned_90 AS sold_returned_90,
            CASE WHEN item_rate_30 IS NOT NULL THEN units_sold END AS units_sold_30,
            CASE WHEN item_rate_60 IS NOT NULL THEN units_sold END AS units_sold_60,
            CASE WHEN item_rate_90 IS NOT NULL THEN units_sold END AS units_sold_90,
            revenue AS sales, revenue_returned AS sales_returned, units_returned / units_sold AS return_rate,
            item_rate_30 AS return_rate_30, item_rate_60 AS return_rate_60, item_rate_90 AS return_rate_90,
            revenue_returned / nullif(revenue, 0) AS revenue_return_rate
        FROM rpt_return_rates""",
    ),
}


def files() -> dict[str, str]:
    """The files of a dbt project that the recipe shows, by their names."""
    shown = blocks(RECIPES, "yaml", "sql")
    return {match[1]: text for _, text in shown if (match := re.match(r"(?:#|--) (\S+\.(?:yml|sql))\n", text))}


def commands() -> str:
    """The shell in the recipe."""
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", section(page("recipes"), "dbt"), re.MULTILINE | re.DOTALL))


def names(model: str) -> set[str]:
    """The metrics of a semantic model that are for people."""
    return {name for kind in ("measures", "money", "ratios") for name in declared()[model].get(kind, {})}


def amounts() -> set[str]:
    """The metrics that are amounts, or made of them."""
    found = set()
    for model in declared().values():
        money = model.get("money", {})
        found |= money.keys() | {name for name, (above, *_) in model.get("ratios", {}).items() if above in money}
    return found


def test_recipe():
    """The recipe has every file of a dbt project, and a model for each mart that the semantic models are about."""
    assert files().keys() == {"dbt_project.yml", "profiles.yml", "models/repeat_returners.sql"}
    project, profiles = yaml.safe_load(files()["dbt_project.yml"]), yaml.safe_load(files()["profiles.yml"])
    assert project["profile"] in profiles
    assert project["model-paths"] == ["models"]
    (loop,) = re.findall(r"^for mart in (.+); do$", commands(), re.MULTILINE)
    assert set(loop.split()) == {SPINE, *declared()}


def test_semantic_models():
    """It is YAML, its SQL is about columns that the marts have, parts of metrics exist, and no name is there twice."""
    found = yaml.safe_load(semantic_models())
    measures = [measure["name"] for model in found["semantic_models"] for measure in model["measures"]]
    metrics = [metric["name"] for metric in found["metrics"]]
    assert len({*measures, *metrics}) == len(measures + metrics)
    with duckdb.connect() as connection:
        for model in found["semantic_models"]:
            connection.register(model["name"], arrow_schemas()[model["name"]].empty_table())
            days = {one["name"] for one in model["dimensions"] if one["type"] == "time"}
            assert model["defaults"]["agg_time_dimension"] in days
            for one in (*model["entities"], *model["dimensions"], *model["measures"]):
                connection.execute(f"SELECT {one.get('expr', one['name'])} FROM {model['name']}")
    for metric in found["metrics"]:
        parts = metric["type_params"]
        used = (
            [one["name"] for one in parts["metrics"]] if "metrics" in parts else [parts["numerator"], parts["denominator"]]
        )
        assert set(used) <= set(measures), metric["name"]


def run(*command: str, folder: Path) -> str:
    """Runs a command that finds this environment's Python, and dbt in its own."""
    environment = {
        "PATH": f"{sysconfig.get_path('scripts')}:{Path(str(DBT)).parent}:/usr/bin:/bin",
        "HOME": str(folder),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, f"{command}: {found.stdout[-3000:]}\n{found.stderr[-3000:]}"
    return found.stdout


def query(folder: Path, metrics: set[str], by: str | None = None, *more: str) -> list[dict[str, str]]:
    """What MetricFlow answers."""
    grouped = ["--group-by", by] if by else []
    run("mf", "query", "--metrics", ",".join(sorted(metrics)), *grouped, *more, "--csv", "found.csv", folder=folder)
    with (folder / "found.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def as_rows(rows: list[dict[str, Any]], keys: list[str]) -> dict[tuple[str, ...], dict[str, float]]:
    """Numbers by key; none counts as 0, and rows of nothing but 0 as none: MetricFlow has some of void returns."""
    found = {}
    for row in rows:
        numbers = {name: float(value or 0) for name, value in row.items() if name not in keys}
        key = tuple(str(row[key])[:10] if "_time_" in key else str(row[key]) for key in keys)
        assert key not in found, "a key is there twice"
        if any(numbers.values()):
            found[key] = numbers
    return found


def filled(driver: Driver, folder: Path) -> None:
    """A project as the recipe makes it, for a driver's warehouse."""
    shutil.copy(driver.file, folder / "loop_read.duckdb")
    for name, text in files().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    assert "ERROR=0" in run("bash", "-euxc", commands(), folder=folder)


@pytest.fixture
def driver(drive: Callable[..., Driver], tmp_path: Path) -> Driver:
    """Two shops, with different currencies, and tables of what they sold and paid back."""
    with duckdb.connect(str(tmp_path / "loop.duckdb")) as connection:
        connection.execute(OUTSIDE)
    given = {"marts": "views", "orders": "platform.orders", "refunds": "platform.refunds"}
    for seed, shop, currency in ((3, "us", "USD"), (4, "eu", "EUR")):
        generated = Shop.generate(seed=seed, returns=40, days=150, now=NOW, currency=currency)
        driver = drive(generated, settings=given | {"shop": shop})
        driver.sync()
    driver.execute(SOLD)
    return driver


@pytest.mark.engines
@pytest.mark.skipif(not DBT, reason="needs dbt-core, dbt-duckdb and dbt-metricflow; DBT is the path of dbt, wherever it is")
def test_metrics_are_the_marts(driver: Driver, tmp_path: Path):
    """The recipe works, line by line; then every metric is what the reports say, row by row.

    Amounts, and what is made of them, are null where currencies come together, and not where one is chosen.
    """
    filled(driver, tmp_path)
    for model, (by, sql) in MARTS.items():
        keys = by.split(",")
        columns, rows = driver.read(sql)
        expected = as_rows([dict(zip(columns, row, strict=True)) for row in rows], keys)
        found = as_rows(query(tmp_path, names(model), by), keys)
        assert found.keys() == expected.keys(), model
        for key, row in found.items():
            assert row.keys() == names(model)
            for name, value in row.items():  # reports round days to two digits, ratios to four
                close = pytest.approx(expected[key][name], abs=0.0051 if "days" in name else 0.0001)
                assert value == close, (model, key, name)
    (row,) = query(tmp_path, amounts())
    assert set(row.values()) == {""}
    (row,) = query(tmp_path, {"retained_ratio"}, None, "--where", "{{ Dimension('return__currency') }} = 'EUR'")
    assert float(row["retained_ratio"]) > 0
    settled = "SELECT sum(units_returned_30) / sum(units_sold) FROM rpt_return_rates WHERE item_rate_30 IS NOT NULL"
    ((rate,),), (row,) = driver.query(settled), query(tmp_path, {"return_rate_30"})
    assert float(row["return_rate_30"]) == pytest.approx(rate)
    countries = "SELECT country_code, count(*) FROM fct_return_lines WHERE NOT is_void GROUP BY 1"
    rows = query(tmp_path, {"units_returned"}, "return__country_code")
    assert {row["return__country_code"]: int(row["units_returned"]) for row in rows} == dict(driver.query(countries))
