"""What the shop has from the beginning besides returns: allowlist, blocklist, webhook subscriptions. All invented."""

from __future__ import annotations

from typing import Any, Final

from loop_returns.sandbox.times import DAY, iso

_SINCE: Final = 1_704_110_400  # 2024-01-01 12:00:00: the first entry of each list
SHOP_ID: Final = 50


def allowlist() -> list[dict[str, Any]]:
    """Entries of the allowlist: more than one page."""
    rows = [("order", f"#{7_382_000 + index}", None) for index in range(18)]
    return _numbered([*rows, ("email", "vip@example.com", None)])


def blocklist() -> list[dict[str, Any]]:
    """Entries of the blocklist, of every type."""
    rows: list[tuple[str, str, str | None]] = [("email", f"blocked.{index}@example.com", None) for index in range(13)]
    rows += [("order", "#7382999", "example.2@example.com"), ("product_tag", "final-sale", None)]
    return _numbered([*rows, ("product", "29871298311111", None)])


def list_entry(number: int, kind: str, value: str, second: str | None = None, *, at: int) -> dict[str, Any]:
    """An entry of either list; only the request for a single one shows `created_at`."""
    return {"id": number, "type": kind, "value": value, "secondary_value": second, "created_at": iso(at)}


def _numbered(rows: list[tuple[str, str, str | None]]) -> list[dict[str, Any]]:
    return [
        list_entry(number, kind, value, second, at=_SINCE + number * DAY)
        for number, (kind, value, second) in enumerate(rows, start=1)
    ]


def webhooks() -> list[dict[str, Any]]:
    """Webhook subscriptions; the last part of an address is what the receiver knows Loop by."""
    return [
        webhook(1, "return", "return.updated", "https://hooks.example.com/loop/5f2e9c0d7a41b386", "active"),
        webhook(2, "label", "label.updated", "https://hooks.example.com/labels?token=c41d8e027b9f6a35", "active"),
        webhook(3, "return", "return.created", "https://user:b7e0295f@old.example.com/returns", "inactive"),
    ]


def webhook(number: int, topic: str, trigger: str, url: str, status: str) -> dict[str, Any]:
    """A subscription as `GET /webhooks` shows it."""
    return {"id": number, "shop_id": SHOP_ID, "topic": topic, "trigger": trigger, "url": url, "status": status}
