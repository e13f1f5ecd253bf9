"""How far each of dlt's destinations can be trusted with a mirror: proven here, expected to work, or refused."""

from typing import Final, Literal

from loop_returns.errors import ConfigurationError

Level = Literal["proven", "expected", "refused"]

PROVEN: Final = (
    "duckdb",
    "postgres",
    "ducklake",
)  # this project's tests run them; DuckLake with PostgreSQL as its catalogue
EXPECTED: Final = ("snowflake", "bigquery", "databricks", "redshift", "motherduck")
_STAY = "dlt only adds and updates rows there, so line items that left a return would stay"
_HOLE = "it has no transactions, so a run that is cut off between deleting and inserting would leave rows missing"
_TSQL = "its SQL has no values that are true or false, and the marts and checks are made of these"
REFUSED: Final = {  # why, and what to choose instead
    "filesystem": (
        f"files, Delta and Iceberg too, are not replaced row by row: {_STAY}",
        "ducklake, which keeps Parquet files, or let readers have those that `--publish` writes",
    ),
    **dict.fromkeys(("lance", "lancedb", "qdrant", "weaviate"), (_STAY, "duckdb")),
    "sqlalchemy": (
        "SQLite has neither times nor exact amounts, and MySQL no times with a zone",
        "duckdb in place of SQLite, postgres in place of a server",
    ),
    "clickhouse": (_HOLE, "postgres"),
    **dict.fromkeys(("mssql", "synapse", "fabric"), (_TSQL, "postgres")),
    "athena": (_HOLE, "ducklake, which keeps Parquet files on S3 too, or let Athena read what `--publish s3://…` writes"),
    "dremio": (_HOLE, "ducklake, which keeps Parquet files on S3 too"),
}
_UNKNOWN: Final = ("nobody has looked at whether rows can be replaced there", "duckdb or postgres")


def level_of(kind: str) -> Level:
    """The level of a kind of destination, by dlt's name of it."""
    return "proven" if kind in PROVEN else "expected" if kind in EXPECTED else "refused"


def refuse(kind: str, *, name: str) -> None:
    """Raises ConfigurationError for a kind of destination that cannot keep a mirror true; `name` is what it was called."""
    if level_of(kind) == "refused":
        why, instead = REFUSED.get(kind, _UNKNOWN)
        raise ConfigurationError(f"The destination `{name}` cannot keep a mirror true: {why}. Choose {instead}.")
