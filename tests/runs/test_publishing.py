"""Who reads Parquet files by their manifest sees all tables and marts of one run, whole, as the warehouse has them."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loop_returns import marts
from loop_returns.errors import ConfigurationError, WarehouseError
from loop_returns.runs.ledger import Run
from loop_returns.runs.publishing import publishing
from loop_returns.sandbox import Shop
from loop_returns.tables.catalog import TABLES
from loop_returns.warehouse.destination import Target
from loop_returns.warehouse.folder import Folder, find_folder
from tests.support import stores
from tests.support.killing import run_and_kill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.driving import Driver
    from tests.support.stores import Store

EVERYTHING = sorted([*TABLES, *(mart.name for mart in marts.all_marts())])
MOVES = "hours_behind"  # the only column that another moment changes


def manifest(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "manifest.json").read_text())
    return found


def folders(root: Path) -> set[str]:
    return {one.name for one in root.iterdir() if one.is_dir()}


def read(table: pa.Table) -> list[str]:
    """The rows of a table, in an order of their own, each as a text that tells an empty text from none."""
    names = [name for name in table.column_names if name != MOVES]
    return sorted(repr([row[name] for name in names]) for row in table.to_pylist())


def held(driver: Driver, table: str, schema: pa.Schema) -> list[str]:
    """The same from the warehouse, which is asked in its own way."""
    asked = [f"CAST({one.name} AS VARCHAR)" if pa.types.is_string(one.type) else one.name for one in schema]  # JSON
    rows = driver.query(f"SELECT {', '.join(asked)} FROM {table}")
    return read(pa.table([pa.array([row[place] for row in rows], one.type) for place, one in enumerate(schema)], schema))


@pytest.fixture(params=["duckdb", "postgres"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Which warehouse a driver fills."""
    if request.param == "duckdb":
        return {}
    address = str(request.getfixturevalue("postgres"))
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    return {"address": address, "dataset": "published"}


@pytest.mark.long
def test_a_life(drive: Callable[..., Driver], home: Path, where: dict[str, str]):
    """Each run publishes what the warehouse then holds, value by value, and keeps the files of the run before.

    Types are the same from every destination. What killed runs left is removed, what others put there is not.
    """
    driver = drive(Shop.generate(seed=9, returns=40, days=60), settings={"marts": "views", "publish": "out/"}, **where)
    run, root = driver.sync(), home / "out"
    told = manifest(root)
    assert (told["run_id"], told["dataset"], told["shop"]) == (run.run_id, driver.dataset, "default")
    assert sorted(told["tables"]) == EVERYTHING
    for name, one in told["tables"].items():
        table = pq.ParquetFile(root / one["path"]).read()
        assert [{"name": each.name, "type": str(each.type)} for each in table.schema] == one["columns"]
        assert table.num_rows == one["rows"]
        assert read(table) == held(driver, name, table.schema), name
    kinds = {each["name"]: each["type"] for each in told["tables"]["returns"]["columns"]}
    expected = {"total": "decimal128(18, 4)", "created_at": "timestamp[us, tz=UTC]", "presentment": "string", "id": "string"}
    assert kinds.items() >= expected.items()
    assert told["tables"]["returns"]["rows"] == driver.count("returns") > 0

    (root / "run=0123456789ab").mkdir()
    (root / "run=theirs").mkdir()
    driver.shop.live(3)
    second = driver.sync()
    assert manifest(root)["run_id"] == second.run_id
    assert manifest(root)["tables"]["returns"]["rows"] == driver.count("returns")
    assert folders(root) == {f"run={run.run_id}", f"run={second.run_id}", "run=theirs"}
    third = driver.sync()  # a quiet one
    assert folders(root) == {f"run={second.run_id}", f"run={third.run_id}", "run=theirs"}


@pytest.mark.long
def test_any_server(drive: Callable[..., Driver], home: Path, postgres: str, monkeypatch: pytest.MonkeyPatch):
    """A server that is asked in the way that all drivers know gives the same files as PostgreSQL, which has a quicker."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    shop = Shop.generate(seed=9, returns=20, days=60)
    driver = drive(shop, settings={"marts": "views", "publish": "out/"}, address=postgres, dataset="published_too")
    driver.sync()
    root = home / "out"
    before = manifest(root)["tables"]
    target = driver.options().target()
    monkeypatch.setattr(Target, "is_postgres", False)
    publishing(target, "out/")(Run("sync", "default"), lambda: None)
    after = manifest(root)["tables"]
    for name, one in before.items():
        files = [pq.ParquetFile(root / each["path"]).read() for each in (one, after[name])]
        assert files[0].schema == files[1].schema
        assert read(files[0]) == read(files[1]), name


@pytest.mark.long
def test_a_kill_and_a_store_that_fails(drive: Callable[..., Driver], home: Path, monkeypatch: pytest.MonkeyPatch):
    """A run that is killed while it publishes leaves the manifest of the run before, and all files that this one names.

    What cannot be published ends the command with 1; the run's own record says that it is done.
    """
    driver, root = drive(Shop.generate(seed=9, returns=10), settings={"publish": "out/"}), home / "out"
    driver.sync()
    told = manifest(root)
    for last in ("advanced_shipping_notices.parquet", ".manifest.json.part", "rename"):
        killed = run_and_kill(
            driver.sync, at=lambda what, detail, last=last: (last in detail or last in what) and "/out/" in detail
        )
        assert killed
        assert manifest(root) == told
        assert all(pq.ParquetFile(root / one["path"]).read().num_rows == one["rows"] for one in told["tables"].values())
        assert len(folders(root)) > 1

    def away(*_: object) -> None:
        raise OSError("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "tell", away)  # no store that is here fails when it is told to
        with pytest.raises(WarehouseError, match=r"the store is away.*the load itself went well"):
            driver.sync()
    assert manifest(root) == told
    last = driver.sync()
    assert folders(root) == {told["folder"], f"run={last.run_id}"}
    assert driver.query("SELECT DISTINCT outcome FROM _loop_sync_runs") == [("done",)]


@pytest.fixture(
    params=[
        pytest.param(stores.s3, marks=pytest.mark.long),
        pytest.param(stores.gs, marks=pytest.mark.engines),
        pytest.param(stores.az, marks=[pytest.mark.engines, pytest.mark.skipif(not stores.AZURITE, reason="no Azurite")]),
    ],
    ids=lambda one: one.__name__,
)
def store(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An object store, over HTTP, and dlt's credentials for it."""
    with request.param() as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        yield store


def test_an_object_store(drive: Callable[..., Driver], store: Store):
    """A bucket gets the same, and keeps what others put there; one that is not there is refused before Loop is asked."""
    root, system = f"{stores.CONTAINER}/loop", store.system
    driver = drive(Shop.generate(seed=9, returns=10), settings={"publish": f"{store.scheme}://{root}"})
    run = driver.sync()
    told = json.loads(system.cat_file(f"{root}/manifest.json"))
    for other in ("loop/run=0123456789ab/returns", "loop/run=theirs", "loop-of-others/run=0123456789ab"):
        system.pipe_file(f"{stores.CONTAINER}/{other}/returns.parquet", b"")
    runs = [run, driver.sync(), driver.sync()]
    before, told = told, json.loads(system.cat_file(f"{root}/manifest.json"))
    assert [before["run_id"], told["run_id"]] == [runs[0].run_id, runs[-1].run_id]
    assert sorted(told["tables"]) == sorted(TABLES)
    with system.open(f"{root}/{told['tables']['returns']['path']}") as file:
        assert pq.read_table(file).num_rows == told["tables"]["returns"]["rows"] == driver.count("returns")
    kept = ["manifest.json", "run=theirs", *(f"run={run.run_id}" for run in runs[1:])]
    assert {Path(one).name for one in system.ls(root, detail=False)} == set(kept)
    assert system.exists(f"{stores.CONTAINER}/loop-of-others/run=0123456789ab/returns.parquet")
    asked = len(driver.sandbox.requests)
    with pytest.raises(ConfigurationError, match=f"Nothing can be published to {store.scheme}://nowhere"):
        driver.sync(publish=f"{store.scheme}://nowhere/loop")
    assert len(driver.sandbox.requests) == asked


@pytest.mark.engines
@pytest.mark.parametrize(
    ("place", "half"),
    [
        ("az://container/loop", {"AZURE_STORAGE_ACCOUNT_KEY": "a2V5"}),
        ("gs://bucket/loop", {"PROJECT_ID": "shop", "CLIENT_EMAIL": "loader@example.com", "PRIVATE_KEY": "of-nobody"}),
    ],
)
def test_half_of_the_credentials(home: Path, monkeypatch: pytest.MonkeyPatch, place: str, half: dict[str, str]):
    """Credentials over which a library stumbles are the operator's to correct, and are not told."""
    for name, value in half.items():
        monkeypatch.setenv(f"DESTINATION__FILESYSTEM__CREDENTIALS__{name}", value)
    with pytest.raises(
        ConfigurationError, match=f"no credentials for {place} that can be used: .*Error: .* Put them"
    ) as found:
        find_folder(place)
    assert not any(value in str(found.value) for name, value in half.items() if name.endswith("KEY"))


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("HttpError", "Backend Error, 503", None),
        ("ServiceRequestError", "Cannot connect to host account.example.com", None),
        ("HttpError", "Invalid Credentials, 401", "HttpError: Invalid Credentials, 401. See that"),
        ("ClientAuthenticationError", "EnvironmentCredential authentication unavailable", "unavailable. See that"),
        (
            "ResourceNotFoundError",
            "No container.\nRequestId:1\nContent: <?xml",
            "ResourceNotFoundError: No container. See that",
        ),
    ],
)
def test_what_may_pass(name: str, words: str, told: str | None):
    """What a store says at the beginning of a run stops it, in a few words, unless it may be over at the run's end."""

    def fail(*_: object) -> None:
        raise type(name, (Exception,), {})(words)

    folder = Folder(SimpleNamespace(pipe_file=fail), "bucket/loop", "az://bucket/loop")
    with nullcontext() if told is None else pytest.raises(ConfigurationError, match=re.escape(told)):
        folder.refuse_unwritable(dataset="loop_returns")


def test_what_libraries_log(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """What the libraries of stores log, with tracebacks, does not stand beside the one line that a command ends with."""
    monkeypatch.setattr(logging.root, "handlers", [])  # pytest's own, which a command has not
    find_folder("memory://loop")
    for name in ("gcsfs", "azure.identity"):
        logging.getLogger(name).error("a traceback")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("ftp://example.com/loop", "knows no ftp://"),
        ("missing/out/", "See that the place exists"),
        ("theirs", "manifest.json of something else"),
        ("other/", "manifest.json of something else"),
        ("gs://bucket/loop", r"pip install 'loop-returns\[gs\]'"),
        ("az://container/loop", r"pip install 'loop-returns\[az\]'"),
        ("abfss://container@account.dfs.core.windows.net/loop", r"pip install 'loop-returns\[az\]'"),
    ],
)
def test_refused(drive: Callable[..., Driver], home: Path, place: str, why: str, monkeypatch: pytest.MonkeyPatch):
    """A place that is none, or somebody else's, or that needs what is not here, is refused before anything is asked."""
    for name, text in {"theirs": "[]", "other": json.dumps({"dataset": "another"})}.items():
        (home / name).mkdir()
        (home / name / "manifest.json").write_text(text)
    for library in ("gcsfs", "adlfs"):
        monkeypatch.setitem(sys.modules, library, None)  # as where the extra is not installed
    driver = drive(Shop.generate(returns=1))
    with pytest.raises(ConfigurationError, match=why):
        driver.sync(publish=place)
    assert not driver.sandbox.requests
