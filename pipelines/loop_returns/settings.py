"""What an operator can set, resolved the dlt way: the environment first, then the files in `.dlt`.

All settings live in the section `sources.loop_returns` and are looked up there and nowhere else: dlt's own
resolver would also take a stray `API_KEY` or `BASE_URL` of the environment and send the key to a wrong place.
"""

import difflib
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, time, timedelta
from operator import methodcaller
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_type_hints
from zoneinfo import available_timezones

from msgspec import Meta, convert

from loop_returns.api import facts
from loop_returns.dates import parse_when
from loop_returns.errors import ConfigurationError

if TYPE_CHECKING:
    from dlt.common.configuration.providers import ConfigProvider

SECTION: Final = "sources.loop_returns"
PiiPolicy = Literal["keep", "hash", "drop"]

_KEY: Final = r"^(?![<\"'])[!-~]+$"  # what a header can carry; no placeholder, no quotation marks
_PII_KEY: Final = r"^(?![<\"'])[!-~]{32,}$"
_ADDRESS: Final = (  # https, as every request carries the key; http for this machine only
    r"^(?i:https://([a-z\d_-]+(\.[a-z\d_-]+)*|\[[\da-f:.]+\])|http://(localhost|127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}|\[::1\]))(:\d{1,5})?"
    rf"(/[\w.~%-]*)*/({facts.VERSION_PATTERN})$"
)
_TABLE: Final = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*){1,2}$"
_EXTRA: Final = r"^(return_notes|return_details)(\s*,\s*(return_notes|return_details))*$"
_EXTRAS: Final = "return_notes, return_details, or both with a comma"
_NAMED: Final = "the name of a table or view in the warehouse, with its schema"
_FIRST: Final = datetime.combine(facts.FIRST_DAY, time(), tzinfo=UTC)


def _moment(text: str) -> datetime:
    moment = parse_when(text)
    if not _FIRST <= moment <= datetime.now(UTC) + timedelta(days=1):
        raise ValueError(text)
    return moment


def _zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError(text)
    return text


def _duration(text: str) -> timedelta:
    if text[-1:].isalpha():  # ISO 8601, which msgspec reads; a number alone is seconds to it
        text = ("P" if text[-1] in "dD" else "PT") + text.replace(" ", "")
    length = convert(text, timedelta, strict=False)
    if not timedelta(0) <= length <= timedelta(days=365):
        raise ValueError(text)
    return length


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The resolved settings; `load` makes them and checks each, the constructor only that the key cannot be overheard.

    An annotation holds, in this order: a function that reads the text, if its type alone does not say how; the bounds and
    the meaning; what is accepted, in words, if type and bounds do not say it.
    """

    api_key: Annotated[
        str, Meta(pattern=_KEY, description="the key; a secret"), "the key as Loop shows it, without quotation marks"
    ] = field(repr=False)
    base_url: Annotated[
        str,
        methodcaller("rstrip", "/"),
        Meta(pattern=_ADDRESS, description="the API and its version"),
        f"an https address such as {facts.BASE_URL}, or an http address of this machine",
    ] = facts.BASE_URL
    shop: Annotated[
        str,
        Meta(
            pattern=r"^[\w .:@/+-]{1,100}$",
            description="name of the shop, part of every key: give each shop its own to let several share a dataset",
        ),
        "up to 100 letters, digits, spaces or .:@/+-_",
    ] = "default"
    start_date: Annotated[
        datetime,
        _moment,
        Meta(description="how far back the first sync goes; a later one too, once, when it is set earlier"),
        f"a date from {facts.FIRST_DAY} to today, such as 2024-01-31",
    ] = _FIRST
    window_days: Annotated[int, Meta(ge=1, le=facts.MAX_RANGE.days - 1, description="days that one request asks for")] = (
        facts.WINDOW_DAYS
    )
    page_size: Annotated[int, Meta(ge=1, le=facts.MAX_PAGE_SIZE, description="returns on a page")] = facts.MAX_PAGE_SIZE
    requests_per_minute: Annotated[
        int,
        Meta(
            ge=1,
            le=facts.REQUESTS_PER_MINUTE,
            description="Loop's limit per key; set it lower to leave room for other programs",
        ),
    ] = facts.REQUESTS_PER_MINUTE
    max_concurrency: Annotated[int, Meta(ge=1, le=facts.MAX_CONCURRENCY, description="requests under way at once")] = 8
    lookback: Annotated[
        timedelta,
        _duration,
        Meta(description="how far before the cursor a sync reads again"),
        "up to 365d, such as 1d, 6h, 90m or 3600 (seconds)",
    ] = timedelta(days=1)
    asn_horizon_days: Annotated[
        int, Meta(ge=1, le=3650, description="days of the ASN report that every sync reads again")
    ] = 90
    extra_resources: Annotated[
        str, Meta(pattern=_EXTRA, description="what else to read, with a request for each return"), _EXTRAS
    ] = ""
    pii: Annotated[PiiPolicy, str.lower, Meta(description="personal data: `keep`, `hash` (joins still work), `drop`")] = (
        "keep"
    )
    pii_key: Annotated[
        str,
        Meta(pattern=_PII_KEY, description="the key of the fingerprints that `hash` makes; a secret"),
        "at least 32 characters without spaces, unquoted; `loop-returns check` prints a fresh one",
    ] = field(default="", repr=False)
    timezone: Annotated[
        str, _zone, Meta(description="in which the days of marts begin"), "a time zone such as UTC or America/New_York"
    ] = "UTC"
    marts: Annotated[Literal["views", "tables", "off"], str.lower, Meta(description="`views`, `tables`, or `off`")] = "views"
    orders: Annotated[str, Meta(pattern=_TABLE, description="order lines, for `rpt_return_rates`"), _NAMED] = ""
    refunds: Annotated[str, Meta(pattern=_TABLE, description="amounts of refunds, for `fct_refunds`"), _NAMED] = ""
    rates: Annotated[str, Meta(pattern=_TABLE, description="currency rates, for `rpt_group_daily`"), _NAMED] = ""
    label_rate_unit: Annotated[Literal["currency", "cents"], str.lower, Meta(description="what labels are priced in")] = (
        "currency"
    )
    publish: Annotated[
        str | None,
        Meta(description="after every run: a read copy of the DuckDB file, or all tables and marts as Parquet files"),
        "the path of a file, a folder (it ends with `/`), or an address such as s3://bucket/folder",
    ] = None

    def __post_init__(self) -> None:
        if not re.fullmatch(_ADDRESS, self.base_url):
            raise ConfigurationError(
                f"The key is not sent to {self.base_url!r}: use an https address such as {facts.BASE_URL}; http is for this "
                "machine only."
            )
        if self.api_key and not re.fullmatch(_KEY, self.api_key):
            raise ConfigurationError("The API key holds spaces, line ends or quotation marks: use it as Loop shows it.")


SECRETS: Final = frozenset(one.name for one in fields(Settings) if not one.repr)


def load(*, need_key: bool = True, **overrides: object) -> Settings:
    """The settings of this folder and environment; `overrides` (None counts as not given) go before both.

    With `need_key=False` secrets and address are not looked at, for commands that do not talk to Loop. Raises
    ConfigurationError for a missing key, a value that cannot be one, a misspelt setting, or a file that is no TOML.
    """
    _refuse_misplaced()
    values: dict[str, Any] = {"api_key": ""}
    for name, hint in get_type_hints(Settings, include_extras=True).items():
        raw = overrides.get(name)
        if raw is None and (need_key or name not in SECRETS | {"base_url"}):
            raw = _configured(name)
        if raw is not None:
            values[name] = _read(name, raw, hint)
    if need_key and not values["api_key"]:
        raise ConfigurationError(
            f"There is no API key. Make one in {facts.KEYS_ARE_MADE_IN}, with the scope Returns. Set it as api_key under "
            f"[{SECTION}] in .dlt/secrets.toml, or as {variable('api_key')} in the environment. "
            "To look around without a key, run `loop-returns demo`."
        )
    return Settings(**values)


def configured_secrets() -> list[str]:
    """The secrets of this folder and environment as they were written, for hiding them in messages."""
    return [text for text in (str(_configured(name) or "").strip() for name in SECRETS) if text]


def providers() -> "Sequence[ConfigProvider]":
    """Where dlt looks settings up: the environment, then the files. Raises ConfigurationError for a file that is no TOML."""
    import dlt  # takes a second, which `--help` and a refused option need not wait for
    from dlt.common.configuration.exceptions import ConfigProviderException

    try:
        return dlt.config.config_providers
    except ConfigProviderException as error:
        raise ConfigurationError(f"A file of settings cannot be read; correct it: {' '.join(str(error).split())}") from error


def variable(name: str) -> str:
    """The environment variable that sets the setting."""
    return f"{SECTION}.{name}".replace(".", "__").upper()


def _configured(name: str) -> object:
    """The value as it was written; None where it is not set, or blank as CI systems hand over what they do not have."""
    import dlt

    place = dlt.secrets if name in SECRETS else dlt.config
    values = (one.get_value(name, place.default_type, "", *SECTION.split("."))[0] for one in place.config_providers)
    return next((value for value in values if value is not None and str(value).strip()), None)


def _read(name: str, raw: object, hint: Any) -> object:
    with suppress(ValueError, TypeError, OverflowError, ConfigurationError):  # each said below, with where to change it
        if isinstance(raw, bool | list | dict):
            raise TypeError(raw)
        value: Any = str(raw.total_seconds() if isinstance(raw, timedelta) else raw).strip()
        for read in filter(callable, hint.__metadata__):
            value = read(value)
        return convert(value, hint, strict=False)
    shown, file = (" cannot be used", "secrets") if name in SECRETS else (f" is {str(raw)[:60]!r}", "config")
    raise ConfigurationError(
        f"The setting `{name}`{shown}; it must be {accepted(hint)}. Set `{name}` in .dlt/{file}.toml under [{SECTION}], "
        f"or {variable(name)} in the environment."
    )


def accepted(hint: Any) -> str:
    """What a setting with this annotation may be, in words."""
    if isinstance(hint.__metadata__[-1], str):
        return str(hint.__metadata__[-1])
    if hint.__origin__ is int:
        bounds = next(one for one in hint.__metadata__ if isinstance(one, Meta))
        return f"a whole number from {bounds.ge} to {bounds.le}"
    return f"one of {', '.join(get_args(hint.__origin__))}"


def _refuse_misplaced() -> None:
    """A setting that is misspelt or stands in a wrong place would otherwise be ignored without a word."""
    prefix = variable("")
    given = [(key.removeprefix(prefix).lower(), f"{key} in the environment") for key in os.environ if key.startswith(prefix)]
    for provider in providers():
        if provider.get_value("loop-returns", dict, "", "sources")[0]:
            raise ConfigurationError(f"[sources.loop-returns] in {provider.name} is not read. Write it [{SECTION}].")
        section = provider.get_value("loop_returns", dict, "", "sources")[0]
        given += [(key, f"under [{SECTION}] in {provider.name}") for key in section] if isinstance(section, dict) else []
    for name, place in given:
        if name in SECRETS and place.endswith(" in config.toml"):
            raise ConfigurationError(f"`{name}` is a secret and stands in .dlt/config.toml. Move it to .dlt/secrets.toml.")
        near = difflib.get_close_matches(name, Settings.__annotations__, n=1, cutoff=0.8)
        if name not in Settings.__annotations__ and near:
            raise ConfigurationError(f"There is no setting `{name}` ({place}). Did you mean `{near[0]}`? Change it there.")
