"""What this project uses of dlt without dlt's promise; a failure here says what a new dlt changed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import dlt
import psycopg2
import pytest
from dlt.destinations.exceptions import DatabaseTerminalException, DatabaseTransientException

import loop_returns
from loop_returns.warehouse import dlt_internals
from tests.support.warehouses import duckdb_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(loop_returns.__file__).parent
PRIVATE = re.compile(
    r"dlt\.(common\.(runtime|storages|versioned_state|configuration\.container)|dataset\.utils|load\.)|_bind_"
)
ROW = [{"id": 1}]


@pytest.fixture
def pipeline(tmp_path: Path) -> dlt.Pipeline:
    """A pipeline that has loaded a row and remembers something."""
    made = duckdb_pipeline(tmp_path)

    @dlt.source(name="loop_returns")
    def source() -> Iterator[object]:
        def rows() -> Iterator[object]:
            dlt.current.source_state()["seen"] = "this"
            yield ROW

        yield dlt.resource(rows, name="rows")

    made.run(source())
    return made


def test_one_file_knows_dlts_insides():
    """Nobody else imports what dlt's documentation does not promise, but for the job that is one of dlt's."""
    found = {path.name for path in PACKAGE.rglob("*.py") if PRIVATE.search(path.read_text())}
    assert found == {"dlt_internals.py", "copy_csv.py"}


def test_the_data_folder(home: Path):
    """dlt tells the folder that DLT_DATA_DIR names."""
    assert dlt_internals.data_folder() == home / "dlt"


def test_a_configuration_is_looked_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A destination asks the environment once for each dataset, and tells each dataset's own configuration ever after."""
    place = dlt_internals.looked_up_once(dlt.destinations.duckdb(str(tmp_path / "warehouse.duckdb")))
    first = dlt_internals.configuration(place, "first")
    monkeypatch.setenv("DESTINATION__CREATE_INDEXES", "true")  # would show in what is looked up from now on
    assert dlt_internals.configuration(place, "first") is first
    assert not first.create_indexes
    second = dlt_internals.configuration(place, "second")
    assert (first.dataset_name, second.dataset_name) == ("first", "second")
    assert second.create_indexes


def test_the_configuration_of_a_destination(tmp_path: Path):
    """A destination resolves to its credentials, and says where it is without a password."""
    place = dlt.destinations.postgres("postgresql://loader:hush@localhost:5432/dw")
    found = dlt_internals.configuration(place, "a_dataset")
    assert str(found.credentials.to_native_representation()).startswith("postgresql://loader:hush@localhost")
    assert "hush" not in str(found)


def test_the_schema_in_memory(pipeline: dlt.Pipeline):
    """What a pipeline has in memory is what it stores: after a load, after a second one with a new column, and restored."""
    seen = []
    for _ in range(2):
        assert dlt_internals.known_schema(pipeline).tables == pipeline.default_schema.tables
        seen.append(set(dlt_internals.known_schema(pipeline).tables["rows"]["columns"]))
        pipeline.run([{"id": 2, "name": "Ada"}], table_name="rows")
    dlt_internals.restore(pipeline.drop())
    assert dlt_internals.known_schema(pipeline).tables == pipeline.default_schema.tables
    seen.append(set(dlt_internals.known_schema(pipeline).tables["rows"]["columns"]))
    assert [("name" in columns) for columns in seen] == [False, True, True]


def test_a_client_without_a_pipeline(pipeline: dlt.Pipeline):
    """A dataset can be asked without a pipeline, and its state be read from there."""
    client = dlt_internals.sql_client(pipeline.destination, "loop_returns")
    assert client is not None
    with client.sql_client:
        assert dlt_internals.stored_state(client, "loop_returns")["sources"]["loop_returns"]["seen"] == "this"
        assert dlt_internals.stored_state(client, "another") == {}
        assert client.sql_client.execute_sql("SELECT id FROM loop_returns.rows") == [(1,)]


def test_files_have_no_sql(tmp_path: Path):
    """A folder of files is no database, though dlt can ask it with SQL."""
    assert dlt_internals.sql_client(dlt.destinations.filesystem(str(tmp_path)), "a") is None


def test_what_may_be_over():
    """A lost connection is told from a statement that the database will never take."""
    inner = psycopg2.OperationalError("server closed the connection unexpectedly")
    assert dlt_internals.may_be_over(DatabaseTransientException(inner))
    wrapped = RuntimeError("step failed")
    wrapped.__cause__ = DatabaseTransientException(inner)
    assert dlt_internals.may_be_over(wrapped)
    assert not dlt_internals.may_be_over(DatabaseTerminalException(psycopg2.ProgrammingError("no")))


def test_our_settings_are_ours_alone(pipeline: dlt.Pipeline, tmp_path: Path):
    """Configuration under a pipeline's name reaches that pipeline and no other in the same process."""
    dlt.config["normalize.parquet_normalizer.add_dlt_load_id"] = False  # other tests of this process set it
    dlt.config["loop_returns.normalize.parquet_normalizer.add_dlt_load_id"] = True
    other = dlt.pipeline(
        "other", pipelines_dir=str(tmp_path / "b"), destination=dlt.destinations.duckdb(str(tmp_path / "other.duckdb"))
    )
    import pyarrow as pa

    for one, wanted in ((pipeline, True), (other, False)):
        one.run(pa.table({"id": [1]}), table_name="arrows", loader_file_format="parquet")
        assert ("_dlt_load_id" in one.default_schema.tables["arrows"]["columns"]) is wanted


def test_no_signal_is_kept_back():
    """Without a signal dlt keeps none back."""
    assert dlt_internals.had_signal() is False
