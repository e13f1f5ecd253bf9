from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from loop_returns.api.facts import BASE_URL
from loop_returns.errors import ConfigurationError
from loop_returns.settings import SECRETS, Settings, load, variable
from tests.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FOLDER = ROOT / ".dlt"
KEY = "0123456789abcdef-secret"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Writes `.dlt/config.toml` and `.dlt/secrets.toml` of an otherwise empty folder, and goes there."""
    monkeypatch.chdir(tmp_path)
    for name in ("DLT_PROJECT_DIR", *(variable(one.name) for one in fields(Settings))):
        monkeypatch.delenv(name, raising=False)

    def write(config: str = "", secrets: str = "") -> None:
        (tmp_path / ".dlt").mkdir(exist_ok=True)
        (tmp_path / ".dlt/config.toml").write_text(config, encoding="utf-8")
        (tmp_path / ".dlt/secrets.toml").write_text(secrets, encoding="utf-8")
        Container()[PluggableRunContext].reload_providers()

    write()
    yield write
    monkeypatch.undo()
    Container()[PluggableRunContext].reload_providers()


def test_stray_variables_are_not_used(project: Callable[..., None], monkeypatch: pytest.MonkeyPatch):
    """Variables that dlt's own resolver would fall back to are ignored: another tool's key never reaches Loop."""
    for name in ("API_KEY", "SOURCES__API_KEY", "LOOP_RETURNS__API_KEY"):
        monkeypatch.setenv(name, "of-another-tool")
    for name in ("BASE_URL", "SOURCES__BASE_URL", "LOOP_RETURNS__BASE_URL"):
        monkeypatch.setenv(name, "https://elsewhere.example.com/api/v1")
    assert load(need_key=False) == Settings(api_key="")
    with pytest.raises(ConfigurationError):
        load()


def test_order(project: Callable[..., None], monkeypatch: pytest.MonkeyPatch):
    """An argument goes before the environment, that before the files, those before the default."""
    project(
        '[sources.loop_returns]\nshop = "file"\nwindow_days = 30\npage_size = 20\n',
        f'[sources.loop_returns]\napi_key = "{KEY}"\npii = "hash"\n',
    )
    monkeypatch.setenv(variable("window_days"), "40")
    monkeypatch.setenv(variable("page_size"), "50")
    found = load(page_size=60, window_days=None)
    assert (found.shop, found.window_days, found.page_size, found.max_concurrency) == ("file", 40, 60, 8)
    assert (found.api_key, found.pii) == (KEY, "hash")


def test_key_stays_as_it_is(project: Callable[..., None], monkeypatch: pytest.MonkeyPatch):
    """A key of digits is not read as a number, and a line end that a secret store adds is no part of it."""
    monkeypatch.setenv(variable("api_key"), "00123\n")
    assert load().api_key == "00123"


@pytest.mark.parametrize("key", [f"{KEY} {KEY}", "two words", "schlüssel-1", "a\nb", "a\x00b"])
def test_key_is_not_shown(project: Callable[..., None], key: str):
    """Neither the settings nor a complaint about a key that no header can carry show it."""
    assert KEY not in repr(Settings(api_key=KEY))
    with pytest.raises(ConfigurationError) as caught:
        load(api_key=key)
    assert key not in str(caught.value)
    assert variable("api_key") in str(caught.value)


@pytest.mark.parametrize("secrets", ["", '[sources.loop_returns]\napi_key = ""\n'])
def test_missing_key(project: Callable[..., None], secrets: str):
    """Without a key the message says where keys are made, which scope is needed, and both ways to set it."""
    project(secrets=secrets)
    with pytest.raises(ConfigurationError) as caught:
        load()
    for part in ("Developer Tools", "Returns", "SOURCES__LOOP_RETURNS__API_KEY", ".dlt/secrets.toml"):
        assert part in str(caught.value)
    assert caught.value.exit_code == 2


def test_example_is_no_key(project: Callable[..., None]):
    """The example of the secrets file can be copied; its placeholder is refused, not sent to Loop."""
    project(secrets=(FOLDER / "example.secrets.toml").read_text(encoding="utf-8"))
    with pytest.raises(ConfigurationError, match="api_key"):
        load()


@pytest.mark.parametrize("quoted", [f"'{KEY}'", f'"{KEY}"', f"“{KEY}”"])
def test_quoted_key(project: Callable[..., None], monkeypatch: pytest.MonkeyPatch, quoted: str):
    """Quotation marks that came along with the key are no part of it, and the message names them."""
    monkeypatch.setenv(variable("api_key"), quoted)
    with pytest.raises(ConfigurationError, match="without quotation marks"):
        load()


def test_key_in_the_wrong_file(project: Callable[..., None]):
    """A key in config.toml, which people share, is not used, and the message says where it belongs."""
    project(f'[sources.loop_returns]\napi_key = "{KEY}"\n')
    with pytest.raises(ConfigurationError, match=r"\.dlt/secrets\.toml"):
        load()


def test_blank_is_not_set(project: Callable[..., None], monkeypatch: pytest.MonkeyPatch):
    """A blank variable, as CI systems hand it over, does not hide what a file says."""
    project('[sources.loop_returns]\nshop = "file"\n', f'[sources.loop_returns]\napi_key = "{KEY}"\n')
    for name in ("shop", "api_key"):
        monkeypatch.setenv(variable(name), " ")
    assert (load().shop, load().api_key) == ("file", KEY)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window_days", "120"),
        ("window_days", "0"),
        ("window_days", "ninety"),
        ("window_days", "1.5"),
        ("page_size", "751"),
        ("requests_per_minute", "301"),
        ("max_concurrency", "0"),
        ("asn_horizon_days", "-1"),
        ("lookback", "yesterday"),
        ("lookback", "400d"),
        ("start_date", "2016-12-31"),
        ("start_date", "31.01.2024"),
        ("start_date", "2999-01-01"),
        ("base_url", "http://api.example.com/api/2026-10"),
        ("base_url", "https://api.loopreturns.com/api"),
        ("pii", "some"),
        ("marts", "yes"),
        ("orders", "order_lines"),
        ("orders", "shop.order_lines; DROP TABLE x"),
        ("label_rate_unit", "dollars"),
        ("timezone", "Atlantis"),
        ("shop", "a'b"),
    ],
)
def test_bad_value(project: Callable[..., None], monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    """A value out of range is refused before anything happens, by name, with what is accepted and where to set it."""
    monkeypatch.setenv(variable(name), value)
    with pytest.raises(ConfigurationError) as caught:
        load(api_key="a-key")
    message = str(caught.value)
    for part in (f"`{name}`", value, "it must be", ".dlt/config.toml", variable(name)):
        assert part in message


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1d", 86400),
        ("6h", 21600),
        ("90m", 5400),
        ("3600s", 3600),
        ("3600", 3600),
        ("0", 0),
        ("1.5h", 5400),
        ("1h30m", 5400),
    ],
)
def test_lookback(project: Callable[..., None], monkeypatch: pytest.MonkeyPatch, value: str, seconds: int):
    """A lookback is written as people write durations, or as seconds."""
    monkeypatch.setenv(variable("lookback"), value)
    assert load(need_key=False).lookback == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written", ['"2024-03-01"', "2024-03-01", "2024-03-01T00:00:00Z", "2024-03-01T02:00:00+02:00", "2024-03-01 00:00:00"]
)
def test_start_date(project: Callable[..., None], written: str):
    """A start date may be text or TOML's own date; without a zone it is UTC."""
    project(f"[sources.loop_returns]\nstart_date = {written}\n")
    assert load(need_key=False).start_date == datetime(2024, 3, 1, tzinfo=UTC)


def test_misspelt_in_file(project: Callable[..., None]):
    """A setting that is misspelt in the file is refused, with the name that was meant, also where there are secrets."""
    project("[sources.loop_returns]\nwindow_day = 30\n", f'[sources.loop_returns]\napi_key = "{KEY}"\n')
    with pytest.raises(ConfigurationError, match=r"window_day`.*`window_days`"):
        load(need_key=False)


def test_misspelt_in_environment(project: Callable[..., None], monkeypatch: pytest.MonkeyPatch):
    """So is one in the environment; what resembles no setting, such as dlt's own, is left alone."""
    monkeypatch.setenv(variable("max_table_nesting"), "0")
    load(need_key=False)
    monkeypatch.setenv(variable("look_back"), "1d")
    with pytest.raises(ConfigurationError, match="`lookback`"):
        load(need_key=False)


def test_broken_file(tmp_path: Path):
    """A settings file that is no TOML is named, with the line."""
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt/config.toml").write_text("shop = = 1", encoding="utf-8")
    program = "from loop_returns.settings import load; load()"
    found = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    (said,) = [line for line in found.stderr.splitlines() if line.startswith("loop_returns.errors.ConfigurationError")]
    assert ".dlt/config.toml" in said
    assert "line 1" in said


def test_base_url_default():
    """Without a setting the API is asked at its documented address."""
    assert Settings(api_key=KEY).base_url == BASE_URL


def _uncommented() -> str:
    text = (FOLDER / "config.toml").read_text(encoding="utf-8")
    return re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE)


def test_file_has_every_setting(project: Callable[..., None]):
    """The committed config.toml names every setting but the secrets, each with its default."""
    section = tomllib.loads(_uncommented())["sources"]["loop_returns"]
    assert list(section) == [one.name for one in fields(Settings) if one.name not in SECRETS]
    lines = [f"{name} = {value!r}" for name, value in section.items()]
    project("[sources.loop_returns]\n" + "\n".join(lines))
    examples = {name: section[name] for name in ("orders", "refunds", "rates", "publish")}  # they have no default
    assert load(need_key=False) == Settings(api_key="", **examples)


def test_file_works_as_it_is(project: Callable[..., None]):
    """The committed config.toml can be read by dlt, changes nothing, and explains every setting above it."""
    text = (FOLDER / "config.toml").read_text(encoding="utf-8")
    project(text)
    assert load(need_key=False) == Settings(api_key="")
    lines = text.splitlines()
    for one in fields(Settings):
        if one.name not in SECRETS:
            (place,) = [number for number, line in enumerate(lines) if line.startswith(f"# {one.name} = ")]
            assert re.fullmatch(r"# [A-Z].*\.", lines[place - 1])


@pytest.mark.parametrize(
    "address", ["http://api.example.com/api/2026-10", "https://someone:else@api.example.com/api/2026-10", ""]
)
def test_a_key_is_never_sent_in_the_open(address: str):
    """Settings that somebody makes by hand do not send the key unencrypted either."""
    with pytest.raises(ConfigurationError, match="The key is not sent"):
        Settings(api_key="key", base_url=address)


def test_commands_without_loop_need_no_address(monkeypatch: pytest.MonkeyPatch):
    """A command that asks nothing of Loop does not refuse a bad key or address."""
    monkeypatch.setenv(variable("base_url"), "nowhere")
    monkeypatch.setenv(variable("api_key"), "<your key>")
    assert load(need_key=False).api_key == ""
    with pytest.raises(ConfigurationError):
        load()


@pytest.mark.parametrize("key", ["secret-key\n", " secret-key", "'secret-key'", "schl\u00fcssel"])
def test_a_key_that_no_header_can_carry(key: str):
    """Settings made by hand refuse a key with a line end, as the HTTP library would quote it in its message."""
    with pytest.raises(ConfigurationError) as caught:
        Settings(api_key=key)
    assert key.strip() not in str(caught.value)


def test_section_with_a_hyphen(project: Callable[..., None]):
    """A section named like the command, with a hyphen, is named instead of ignored."""
    project(config="[sources.loop-returns]\nwindow_days = 30\n")
    with pytest.raises(ConfigurationError, match=r"\[sources\.loop_returns\]"):
        load(api_key="a-key")
