"""What an operator can set, resolved the dlt way: the environment first, then the files in `.dlt`.

All settings live in the section `sources.loop_returns` and are looked up there and nowhere else: dlt's own
resolver would also take a stray `API_KEY` or `BASE_URL` of the environment and send the key to a wrong place.
"""

from __future__ import annotations

import difflib
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal, get_type_hints

from msgspec import Meta, convert

from loop_returns import settings as facts
from loop_returns.api.address import checked_base_url, checked_key
from loop_returns.api.errors import ChangeSettings
from loop_returns.dates import parse_when
from loop_returns.tables.privacy import Policy

SECTION: Final = "sources.loop_returns"
_FIRST: Final = datetime.combine(facts.FIRST_DAY, time(), tzinfo=UTC)


def _moment(text: str) -> datetime:
    moment = parse_when(text)
    if not _FIRST <= moment <= datetime.now(UTC) + timedelta(days=1):
        raise ValueError(text)
    return moment


def _duration(text: str) -> timedelta:
    if text[-1:].isalpha():  # ISO 8601, which msgspec reads; a number alone is seconds to it
        text = ("P" if text[-1] in "dD" else "PT") + text.replace(" ", "")
    length = convert(text, timedelta, strict=False)
    if not timedelta(0) <= length <= timedelta(days=365):
        raise ValueError(text)
    return length


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The resolved settings. An annotation holds what `load` reads and accepts; the constructor checks nothing."""

    api_key: Annotated[str, checked_key, Meta(pattern="^[^<\"']"), "the key as Loop shows it, unquoted"] = field(repr=False)
    base_url: Annotated[str, checked_base_url, f"an https address such as {facts.BASE_URL}"] = facts.BASE_URL
    shop: Annotated[str, Meta(pattern=r"^[\w .:@/+-]{1,100}$"), "up to 100 letters, digits, spaces or .:@/+-_"] = "default"
    start_date: Annotated[datetime, _moment, f"a date from {facts.FIRST_DAY} to today, such as 2024-01-31"] = _FIRST
    window_days: Annotated[int, Meta(ge=1, le=facts.MAX_RANGE.days - 1), "the days of one request"] = facts.WINDOW_DAYS
    page_size: Annotated[int, Meta(ge=1, le=facts.MAX_PAGE_SIZE), "the returns on a page"] = facts.MAX_PAGE_SIZE
    requests_per_minute: Annotated[int, Meta(ge=1, le=facts.REQUESTS_PER_MINUTE), "Loop's limit"] = facts.REQUESTS_PER_MINUTE
    max_concurrency: Annotated[int, Meta(ge=1, le=facts.MAX_CONCURRENCY), "the requests under way at once"] = 4
    lookback: Annotated[timedelta, _duration, "up to 365d, such as 1d, 6h, 90m or 3600 (seconds)"] = timedelta(days=1)
    asn_horizon_days: Annotated[int, Meta(ge=1, le=3650), "the days of shipping notices that are read again"] = 90
    pii: Annotated[Policy, str.lower, f"one of {', '.join(Policy)}"] = Policy.KEEP
    marts: Annotated[Literal["views", "tables", "off"], str.lower, "one of views, tables, off"] = "views"
    publish: Annotated[str | None, "the path of a file"] = None


def load(*, need_key: bool = True, **overrides: object) -> Settings:
    """The settings of this folder and environment; `overrides` (None counts as not given) go before both.

    With `need_key=False` a missing API key is left empty, for commands that do not talk to Loop. Raises ChangeSettings
    for a missing key, a value that cannot be one, a misspelt setting, or a file that is no TOML.
    """
    from dlt.common.configuration.exceptions import ConfigProviderException

    try:
        _refuse_misplaced()
    except ConfigProviderException as error:
        raise ChangeSettings(f"A file of settings cannot be read; correct it: {' '.join(str(error).split())}") from error
    values: dict[str, Any] = {"api_key": ""}
    for name, hint in get_type_hints(Settings, include_extras=True).items():
        raw = _configured(name) if overrides.get(name) is None else overrides[name]
        if raw is not None:
            values[name] = _read(name, raw, hint)
    if need_key and not values["api_key"]:
        raise ChangeSettings(
            f"There is no API key. Make one in {facts.KEYS_ARE_MADE_IN}, with the scope Returns. Set it as api_key under "
            f"[{SECTION}] in .dlt/secrets.toml, or as {variable('api_key')} in the environment. "
            "To look around without a key, run `loop-returns demo`."
        )
    return Settings(**values)


def configured_key() -> str | None:
    """The API key of this folder and environment as it was written, for hiding it in messages."""
    return str(_configured("api_key") or "").strip() or None


def variable(name: str) -> str:
    """The environment variable that sets the setting."""
    return f"{SECTION}.{name}".replace(".", "__").upper()


def _configured(name: str) -> object:
    """The value as it was written; None where it is not set, or blank as CI systems hand over what they do not have."""
    import dlt  # takes a second, which `--help` and a refused option need not wait for

    place = dlt.secrets if name == "api_key" else dlt.config
    found = (one.get_value(name, place.default_type, "", *SECTION.split("."))[0] for one in place.config_providers)
    return next((value for value in found if value is not None and str(value).strip()), None)


def _read(name: str, raw: object, hint: Any) -> object:
    *rules, must_be = hint.__metadata__
    with suppress(ValueError, TypeError, OverflowError, ChangeSettings):  # each said below, with where to change it
        if isinstance(raw, bool | list | dict):
            raise TypeError(raw)
        value: Any = str(raw.total_seconds() if isinstance(raw, timedelta) else raw).strip()
        for read in filter(callable, rules):
            value = read(value)
        return convert(value, hint, strict=False)
    if hint.__origin__ is int:
        must_be = f"a whole number from {rules[0].ge} to {rules[0].le}, {must_be}"
    shown, file = (" cannot be used", "secrets") if name == "api_key" else (f" is {str(raw)[:60]!r}", "config")
    raise ChangeSettings(
        f"The setting `{name}`{shown}; it must be {must_be}. Set `{name}` in .dlt/{file}.toml under [{SECTION}], "
        f"or {variable(name)} in the environment."
    )


def _refuse_misplaced() -> None:
    """A setting that is misspelt or stands in a wrong place would otherwise be ignored without a word."""
    import dlt

    prefix = variable("")
    given = [(key.removeprefix(prefix).lower(), f"{key} in the environment") for key in os.environ if key.startswith(prefix)]
    for provider in dlt.config.config_providers:
        section = provider.get_value("loop_returns", dict, "", "sources")[0]
        given += [(key, f"under [{SECTION}] in {provider.name}") for key in section] if isinstance(section, dict) else []
    if ("api_key", f"under [{SECTION}] in config.toml") in given:
        raise ChangeSettings("The API key stands in .dlt/config.toml. Move that line to .dlt/secrets.toml.")
    for name, place in given:
        near = difflib.get_close_matches(name, Settings.__annotations__, n=1, cutoff=0.8)
        if name not in Settings.__annotations__ and near:
            raise ChangeSettings(f"There is no setting `{name}` ({place}). Did you mean `{near[0]}`? Change it there.")
