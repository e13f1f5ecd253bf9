"""Checks what a client is given before any request is sent: the base URL and the key."""

from __future__ import annotations

import ipaddress
import re

import httpx

from loop_returns.api.errors import ChangeSettings
from loop_returns.settings import BASE_URL, KEYS_ARE_MADE_IN, VERSION_PATTERN


def checked_base_url(text: str) -> str:
    """The base URL without a slash at its end.

    Raises:
        ChangeSettings: if it isn't https (http is accepted for this machine only), names no host, ends in no
            version of the API, or carries a user, a query or a fragment.
    """
    cleaned = text.strip().rstrip("/")
    problem = _problem(cleaned)
    if problem:
        raise ChangeSettings(
            f"The setting base_url can't be used: {problem}. Set it to an address like {BASE_URL}, "
            "or remove the setting, as that is its default."
        )
    return cleaned


def is_loopback(host: str) -> bool:
    """Whether that host is this machine itself, judged by its name alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_key(key: str) -> str:
    """The key without white space around it, as files and secret stores like to add a line end.

    Raises:
        ChangeSettings: if nothing is left, or if no header can carry it. Never quotes the key.
    """
    cleaned = key.strip()
    if cleaned and cleaned.isascii() and cleaned.isprintable() and " " not in cleaned:
        return cleaned
    fault = "holds spaces, line ends or letters that no key has" if cleaned else "is empty"
    raise ChangeSettings(
        f"The API key {fault}. Make one in {KEYS_ARE_MADE_IN} and set it as "
        "SOURCES__LOOP_RETURNS__API_KEY, or as api_key under [sources.loop_returns] in .dlt/secrets.toml."
    )


def _problem(text: str) -> str | None:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return "it is not a web address"
    found = None
    if not url.host:
        found = "it names no host"
    elif url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.host)):
        found = "it must begin with https://, as every request carries the key"
    elif url.userinfo or url.query or url.fragment:
        found = "it must not hold a user, a password, a “?” or a “#”"
    elif not re.fullmatch(VERSION_PATTERN, url.path.rpartition("/")[2]):
        found = "it must end in a version of the API such as 2026-10, v1, latest or unstable"
    return found
