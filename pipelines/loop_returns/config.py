"""What an operator can set, resolved the dlt way: the environment first, then the files in `.dlt`.

All settings live in the section `sources.loop_returns` and are looked up there and nowhere else: dlt's own
resolver would also take a stray `API_KEY` or `BASE_URL` of the environment and send the key to a wrong place.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

from loop_returns import settings as facts
from loop_returns.api.address import checked_base_url, checked_key
from loop_returns.api.errors import ChangeSettings
from loop_returns.dates import parse_when
from loop_returns.tables.privacy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECTION: Final = "sources.loop_returns"
Marts = Literal["views", "tables", "off"]

_FIRST: Final = datetime.combine(facts.FIRST_DAY, time(), tzinfo=UTC)
_LONGEST_LOOKBACK: Final = timedelta(days=365)
_NAME: Final = re.compile(r"[\w .:@/+-]{1,100}")  # what needs no care in SQL, file names and logs
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?) ?([smhd]?)", re.ASCII)
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The resolved settings; each is described in `.dlt/config.toml`."""

    api_key: str = field(repr=False)
    base_url: str = facts.BASE_URL
    shop: str = "default"
    start_date: datetime = _FIRST
    window_days: int = facts.WINDOW_DAYS
    page_size: int = facts.MAX_PAGE_SIZE
    requests_per_minute: int = facts.REQUESTS_PER_MINUTE
    max_concurrency: int = 4
    lookback: timedelta = timedelta(days=1)
    asn_horizon_days: int = 90
    pii: Policy = Policy.KEEP
    marts: Marts = "views"
    publish: str | None = None


def load(*, need_key: bool = True, **overrides: object) -> Settings:
    """The settings of this folder and environment; `overrides` (None counts as not given) go before both.

    With `need_key=False` a missing API key is left empty, for commands that do not talk to Loop.

    Raises:
        ChangeSettings: for a missing key, a value out of range, a misspelt setting, or a file that is no TOML.
    """
    from dlt.common.configuration.exceptions import ConfigProviderException

    try:
        _refuse_misspelt()
    except ConfigProviderException as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ChangeSettings(f"A file of settings cannot be read. {reason}. Correct that line and run again.") from error
    values: dict[str, Any] = {}
    for one in fields(Settings):
        given = overrides.get(one.name)
        raw = _configured(one.name) if given is None else given
        if raw is not None:
            values[one.name] = _read(one.name, raw)
    if "api_key" not in values:
        if need_key:
            raise ChangeSettings(_missing_key())
        values["api_key"] = ""
    return Settings(**values)


def configured_key() -> str | None:
    """The API key of this folder and environment as it was written, for hiding it in messages."""
    key = _configured("api_key")
    return None if key is None else str(key)


def variable(name: str) -> str:
    """The environment variable that sets the setting."""
    return f"{SECTION}.{name}".replace(".", "__").upper()


def _configured(name: str) -> object:
    """The value as it was written; None where it is not set.

    Nothing but white space is not set either: so CI systems hand over a variable that they do not have.
    """
    import dlt  # takes a second, which `--help` and a refused option need not wait for

    places = (dlt.secrets,) if name == "api_key" else (dlt.config, dlt.secrets)
    for place in places:
        value: object = place.get(f"{SECTION}.{name}")
        if isinstance(value, str):
            value = value.strip()
        if value is not None and value != "":
            return value
    return None


def _read(name: str, raw: object) -> object:
    read, accepted = _RULES[name]
    try:
        return read(raw)
    except (ValueError, TypeError, OverflowError, ChangeSettings):  # each said below, with where to change it
        pass
    shown = "has a value that cannot be one" if name == "api_key" else f"is {str(raw)[:60]!r}"
    place = ".dlt/secrets.toml" if name == "api_key" else ".dlt/config.toml"
    raise ChangeSettings(
        f"The setting `{name}` {shown}; it must be {accepted}. Set `{name}` in {place} under [{SECTION}], "
        f"or {variable(name)} in the environment."
    )


def _missing_key() -> str:
    return (
        f"There is no API key. Make one in {facts.KEYS_ARE_MADE_IN}, with the scope Returns. Then either set "
        f"{variable('api_key')} in the environment, or write it into .dlt/secrets.toml: "
        f'under [{SECTION}] the line api_key = "…". To look around without a key, run `loop-returns demo`.'
    )


def _refuse_misspelt() -> None:
    """A setting that is misspelt would otherwise be ignored without a word."""
    names = [one.name for one in fields(Settings)]
    for name, place in _given_names():
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
        if name not in names and near:
            raise ChangeSettings(f"There is no setting `{name}` ({place}). Did you mean `{near[0]}`? Change it there.")


def _given_names() -> Iterator[tuple[str, str]]:
    import dlt  # as above

    prefix = variable("")
    for key in os.environ:
        if key.startswith(prefix) and "__" not in key[len(prefix) :]:
            yield key[len(prefix) :].lower(), f"{key} in the environment"
    section: object = dlt.config.get(SECTION)
    if isinstance(section, dict):
        for key in section:
            yield str(key), f"under [{SECTION}] in .dlt/config.toml"


def _whole(least: int, most: int) -> Callable[[object], int]:
    def read(raw: object) -> int:
        if isinstance(raw, bool) or (isinstance(raw, float) and not raw.is_integer()):
            raise ValueError(raw)
        number = int(cast("str", raw))
        if not least <= number <= most:
            raise ValueError(raw)
        return number

    return read


def _one_of(*words: str) -> Callable[[object], str]:
    def read(raw: object) -> str:
        word = str(raw).lower()
        if word not in words:
            raise ValueError(raw)
        return word

    return read


def _key(raw: object) -> str:
    key = checked_key(str(raw))
    if key.startswith("<"):  # the placeholder of example.secrets.toml
        raise ValueError
    return key


def _name(raw: object) -> str:
    name = str(raw).strip()
    if not _NAME.fullmatch(name):
        raise ValueError(raw)
    return name


def _moment(raw: object) -> datetime:
    if isinstance(raw, datetime):
        moment = raw if raw.tzinfo else raw.replace(tzinfo=UTC)
    elif isinstance(raw, date):
        moment = datetime.combine(raw, time(), tzinfo=UTC)
    else:
        moment = parse_when(str(raw))
    if not _FIRST <= moment <= datetime.now(UTC) + timedelta(days=1):
        raise ValueError(raw)
    return moment.astimezone(UTC).replace(microsecond=0)


def _duration(raw: object) -> timedelta:
    if isinstance(raw, timedelta):
        length = raw
    else:
        found = _DURATION.fullmatch(str(raw).strip().lower())
        if found is None or isinstance(raw, bool):
            raise ValueError(raw)
        length = timedelta(seconds=round(float(found[1]) * _UNITS[found[2]]))
    if not timedelta(0) <= length <= _LONGEST_LOOKBACK:
        raise ValueError(raw)
    return length


def _path(raw: object) -> str:
    text = os.fspath(cast("str", raw))
    if "\0" in text:
        raise ValueError(raw)
    return text


_MOST_DAYS: Final = facts.MAX_RANGE.days - 1  # live accounts refuse a window of exactly the documented cap
_RULES: Final[dict[str, tuple[Callable[[object], object], str]]] = {
    "api_key": (_key, "the key as Loop shows it, without spaces or quotation marks"),
    "base_url": (
        lambda raw: checked_base_url(str(raw)),
        f"an https address that ends in the version, such as {facts.BASE_URL}",
    ),
    "shop": (_name, "a name of up to 100 letters, digits, spaces and . : @ / + - _"),
    "start_date": (_moment, f"a date between {facts.FIRST_DAY} and today, such as 2024-01-31"),
    "window_days": (_whole(1, _MOST_DAYS), f"a whole number from 1 to {_MOST_DAYS}"),
    "page_size": (_whole(1, facts.MAX_PAGE_SIZE), f"a whole number from 1 to {facts.MAX_PAGE_SIZE}"),
    "requests_per_minute": (
        _whole(1, facts.REQUESTS_PER_MINUTE),
        f"a whole number from 1 to {facts.REQUESTS_PER_MINUTE}, Loop's limit for a key",
    ),
    "max_concurrency": (
        _whole(1, facts.MAX_CONCURRENCY),
        f"a whole number from 1 to {facts.MAX_CONCURRENCY}",
    ),
    "lookback": (_duration, "a duration up to 365d, such as 1d, 6h, 90m, 3600s or a number of seconds"),
    "asn_horizon_days": (_whole(1, 3650), "a whole number from 1 to 3650"),
    "pii": (lambda raw: Policy(str(raw).lower()), "one of " + ", ".join(Policy)),
    "marts": (_one_of(*get_args(Marts)), "one of " + ", ".join(get_args(Marts))),
    "publish": (_path, "the path of a file"),
}
assert set(_RULES) == {one.name for one in fields(Settings)}  # noqa: S101 # a setting without a rule is a slip of the pen
