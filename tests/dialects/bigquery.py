"""BigQuery's own analyzer, ZetaSQL (`pip install zetasql`), with our tables as dlt makes them there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import dlt
from zetasql.api import Analyzer, CatalogBuilder, TableBuilder
from zetasql.types import (
    AnalyzerOptions,
    LanguageOptions,
    ParameterMode,
    ProductMode,
    ZetaSQLBuiltinFunctionOptions,
)
from zetasql.types import TypeKind as Kind

from loop_returns.tables.catalog import TABLES, dlt_hints

if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS = {
    "STRING": Kind.TYPE_STRING,
    "INT64": Kind.TYPE_INT64,
    "BOOL": Kind.TYPE_BOOL,
    "NUMERIC": Kind.TYPE_NUMERIC,
    "TIMESTAMP": Kind.TYPE_TIMESTAMP,
    "JSON": Kind.TYPE_JSON,
}
OTHERS = {
    "_dlt_loads": {"load_id": "STRING", "status": "INT64"},
    "_dlt_pipeline_state": {"state": "STRING", "version": "INT64", "pipeline_name": "STRING", "_dlt_load_id": "STRING"},
    "information_schema_tables": {"table_name": "STRING", "table_type": "STRING", "table_schema": "STRING"},
    "information_schema_columns": {
        "table_name": "STRING",
        "column_name": "STRING",
        "data_type": "STRING",
        "table_schema": "STRING",
        "ordinal_position": "INT64",
    },
}


def types_there() -> dict[str, dict[str, str]]:
    """The type of each column of our tables, by dlt's mapper for BigQuery."""
    caps = dlt.destinations.bigquery().capabilities()
    mapper = caps.get_type_mapper()
    return {
        name: {
            column: re.sub(r"\(.*", "", mapper.to_destination_type(hint, {"name": name, "columns": {}}))
            for column, hint in dlt_hints(table)["columns"].items()
        }
        for name, table in TABLES.items()
    } | OTHERS


class Warehouse:
    """Takes statements one after the other, and knows the views and tables that they make."""

    def __init__(self) -> None:
        self._language = LanguageOptions.maximum_features()
        self._language.product_mode = ProductMode.PRODUCT_EXTERNAL
        self._tables: dict[str, list[tuple[str, Any]]] = {
            name: [(column, KINDS[kind]) for column, kind in columns.items()] for name, columns in types_there().items()
        }
        self._analyzer = self._new_analyzer()

    def refusals(self, statements: Iterable[str]) -> list[str]:
        """What it says to those that it does not take."""
        return [f"{said}\n{sql}" for sql in statements if (said := self._refusal(sql))]

    def _refusal(self, sql: str) -> str | None:
        sql = re.sub(r"(`warehouse`\.)?`loop_returns(_staging)?`\.", "", sql)
        sql = sql.replace("information_schema.", "information_schema_").replace("%s", "?")
        try:
            made = self._analyzer.analyze_statement(sql)
        except Exception as error:  # noqa: BLE001 # whatever it is, the statement is not taken
            return str(error)
        if hasattr(made, "output_column_list") and "Create" in type(made).__name__:  # from a query
            self._tables[made.name_path[-1]] = [(one.name, one.column.type) for one in made.output_column_list]
            self._analyzer = self._new_analyzer()
        return None

    def _new_analyzer(self) -> Analyzer:
        builder = CatalogBuilder("warehouse").with_builtin_functions(
            ZetaSQLBuiltinFunctionOptions(language_options=self._language)
        )
        for name, columns in self._tables.items():
            table = TableBuilder(name)
            for column, kind in columns:
                table.add_column(column, kind)
            builder.add_table(table.build())
        options = AnalyzerOptions(
            language_options=self._language,
            parameter_mode=ParameterMode.PARAMETER_POSITIONAL,
            allow_undeclared_parameters=True,
        )
        return Analyzer(options, builder.build())
