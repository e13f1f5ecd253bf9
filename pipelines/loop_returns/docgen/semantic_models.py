"""Describes marts as dbt's semantic models with metrics (MetricFlow), for tools that ask for a number by its name.

`python -m loop_returns.docgen.semantic_models` prints it. Metrics are in `metrics.toml`; dimensions are the marts' days,
texts and booleans. Times are none: MetricFlow would begin their days where the session's time zone does, not the shop's.
"""

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import pyarrow as pa

from loop_returns.marts import Mart, all_marts, arrow_schemas

SPINE: Final = "dim_date"
_STAGED: Final = "stg_"  # of dbt's models: with a name of its own, none replaces a mart that lives in the same schema
_NO_DIMENSIONS: Final = ("_key", "comment_text")  # ends of names of texts by which nobody groups
_UNCHECKED: Final = "_unchecked"


@cache
def declared() -> Mapping[str, Any]:
    """What `metrics.toml` says, by mart."""
    return tomllib.loads(files(__package__).joinpath("metrics.toml").read_text(encoding="utf-8"))


def semantic_models() -> str:
    """The text of a YAML file with the time spine, the semantic models and the metrics.

    An amount is a derived metric that is null where rows of several currencies come together, so that nothing adds them up.
    """
    spine = {"time_spine": {"standard_granularity_column": "day"}, "columns": [{"name": "day", "granularity": "day"}]}
    lines = ["models:", f"  - {json.dumps({'name': _STAGED + SPINE, **spine})}", "", "semantic_models:"]
    for mart, model in declared().items():
        lines += _model(mart, model)
    lines += ["", "metrics:"]
    lines += [f"  - {_json(metric)}" for model in declared().values() for metric in _metrics(model)]
    return "\n".join(lines) + "\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _model(name: str, model: Mapping[str, Any]) -> Iterator[str]:
    mart = next(mart for mart in all_marts() if mart.name == name)
    entities = [{"name": model["entity"], "type": "primary", "expr": model["key"]}]
    if "return" in model:
        entities.append({"name": "return", "type": "foreign", "expr": model["return"]})
    yield f"  - name: {name}"
    yield f"    description: {_json(f'{mart.description} Grain: {mart.grain}.')}"
    yield f"    model: ref('{_STAGED}{name}')"
    yield f"    defaults: {_json({'agg_time_dimension': _called(model['time'])})}"
    for title, items in (("entities", entities), ("dimensions", _dimensions(mart)), ("measures", _measures(model))):
        yield f"    {title}:"
        yield from (f"      - {_json(item)}" for item in items)


def _dimensions(mart: Mart) -> Iterator[dict[str, Any]]:
    for field in arrow_schemas()[mart.name]:
        name = field.name
        described = {"name": _called(name), "description": mart.columns[name]}
        if pa.types.is_date(field.type):
            grain = "month" if name == "month" else "day"
            yield described | {"type": "time", "type_params": {"time_granularity": grain}, "expr": name}
        elif pa.types.is_boolean(field.type):
            yield described | {"type": "categorical"}
        elif pa.types.is_string(field.type) and not name.endswith(_NO_DIMENSIONS):
            filled = f"coalesce({name}, '(none)')"  # MetricFlow joins metrics by dimensions, and null equals nothing
            yield described | {"type": "categorical", "expr": filled}


def _called(column: str) -> str:
    return "month_start" if column == "month" else column  # MetricFlow keeps that word for itself


def _measures(model: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each makes a metric of its name; those of money only as parts of others."""
    for name, (aggregation, sql, meaning) in model["measures"].items():
        how: dict[str, Any] = {"agg": aggregation, "expr": sql}
        if aggregation.startswith("0."):  # of a floating-point number, as databases cut the percentiles of decimals
            how = {"agg": "percentile", "expr": f"1e0 * {sql}", "agg_params": {"percentile": float(aggregation)}}
        yield {"name": name, "description": meaning, **how, "create_metric": True}
    for name, (sql, _) in model.get("money", {}).items():
        meaning = f"Part of {name}. Adds up amounts of whatever currencies there are: do not show it."
        amount = f"case when {model['counted']} then {sql} end"
        yield {"name": name + _UNCHECKED, "description": meaning, "agg": "sum", "expr": amount, "create_metric": True}
    if "money" in model:
        currency = f"case when {model['counted']} then coalesce(currency, '(none)') end"
        meaning = "Currencies of the amounts; where there are several, amounts are null."
        name = _currencies(model)
        yield {"name": name, "description": meaning, "agg": "count_distinct", "expr": currency, "create_metric": True}


def _currencies(model: Mapping[str, Any]) -> str:
    return f"{model['entity']}_currencies"


def _metrics(model: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Those that are more than a measure."""
    for name, (_, meaning) in model.get("money", {}).items():
        yield _metric(name, meaning, **_within_a_currency(model, name + _UNCHECKED, name))
    for name, (above, below, meaning) in model.get("ratios", {}).items():
        if above in model.get("money", {}):
            sql = f"{above}{_UNCHECKED} / nullif({below}{_UNCHECKED}, 0)"
            yield _metric(name, meaning, **_within_a_currency(model, sql, above, below))
        else:
            yield _metric(name, meaning, type="ratio", type_params={"numerator": above, "denominator": below})


def _metric(name: str, meaning: str, **more: object) -> dict[str, Any]:
    return {"name": name, "label": name.replace("_", " ").capitalize(), "description": meaning, **more}


def _within_a_currency(model: Mapping[str, Any], sql: str, *amounts: str) -> dict[str, Any]:
    inputs = [{"name": name} for name in (_currencies(model), *(amount + _UNCHECKED for amount in amounts))]
    guarded = f"case when {_currencies(model)} <= 1 then {sql} end"
    return {"type": "derived", "type_params": {"expr": guarded, "metrics": inputs}}


if __name__ == "__main__":
    sys.stdout.write(semantic_models())
