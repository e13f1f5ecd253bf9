"""What tests share: an environment of their own, a sandbox and a warehouse where asked for, one PostgreSQL."""

from __future__ import annotations

import functools
import gc
import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"  # before dlt is imported by whatever comes first
os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"  # tests break loads on purpose; dlt would print each at length

# What tests start inherits what is ignored: SIGINT and SIGQUIT in the background of a shell, SIGHUP under nohup.
for number, usual in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

from dlt.common import validation  # noqa: E402 # after the environment
from dlt.common.configuration import resolve  # noqa: E402
from dlt.common.configuration.providers import environ  # noqa: E402
from dlt.common.configuration.specs import base_configuration  # noqa: E402

from tests.support.warehouses import postgres  # noqa: E402, F401 # as before; a fixture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.driving import Driver

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # how fast a machine is says nothing about the code

look, seen = validation.get_type_hints, {}


def types_of(of: type, globalns: dict[str, object] | None = None) -> dict[str, object]:
    """The types of a dictionary's fields, which dlt works out anew for every column of a schema: a fifteenth of a sync."""
    if of not in seen:
        seen[of] = look(of, globalns=globalns)
    return seen[of]


validation.get_type_hints = types_of

is_secret = functools.cache(base_configuration.is_secret_hint)  # as much, for the fields of its configuration
for module in (base_configuration, environ, resolve):
    module.is_secret_hint = is_secret


def pytest_addoption(parser: pytest.Parser) -> None:
    """The tests marked `live` run in a destination that exists."""
    parser.addoption("--destination", help="for -m live: dlt's name of a destination, its credentials in the environment")


def pytest_collection_finish() -> None:
    """What is imported by now stays, so that the search for garbage need not go through all of it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, which is the current one and holds dlt's data; no setting comes in from outside."""
    for name in os.environ:
        if name.startswith(("SOURCES__", "DESTINATION__", "DLT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def drive(home: Path) -> Iterator[Callable[..., Driver]]:
    """Makes a driver: `drive(shop, quirks=…)` serves the shop and mirrors it into a DuckDB file of the test's own."""
    from tests.support.driving import Driver

    drivers: list[Driver] = []

    def make(*args: object, **more: object) -> Driver:
        drivers.append(Driver(*args, **{"folder": home} | more).start())  # type: ignore[arg-type]
        return drivers[-1]

    yield make
    for driver in drivers:
        driver.stop()
