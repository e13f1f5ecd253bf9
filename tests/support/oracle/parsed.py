"""Returns and shipping notices of the API as Python values: times in UTC, amounts as decimals, `N/A` as None."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from tests.support.mirror import moment, money, text

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = dict[str, Any]
T = TypeVar("T")
ZERO = Decimal(0)
OVER = ("cancelled", "expired")
WAITING = ("open", "review")


def word(value: Any) -> str | None:
    """A text, or None where it stands for no value."""
    found = text(value)
    return None if found is None or found.strip().lower() in ("", "n/a") else found


def lower(value: Any) -> str | None:
    """The same in lower case, for words that a machine chose."""
    found = word(value)
    return None if found is None else found.strip().lower()


def or_none(value: str | None) -> str:
    """As a part of a report's key."""
    return "(none)" if value is None else value


def known(values: Iterable[T | None]) -> list[T]:
    """Those that are not None."""
    return [value for value in values if value is not None]


def add(values: Iterable[Decimal | None]) -> Decimal:
    """The sum, where nothing adds nothing."""
    return sum((value for value in values if value is not None), ZERO)


def days_between(start: datetime | None, end: datetime | None) -> Decimal | None:
    """Elapsed days with two digits, rounded as people do; with a minus, also before a zero, when the end comes first."""
    if start is None or end is None:
        return None
    return rounded(Decimal((end - start) // timedelta(seconds=1)) / 86_400, 2)


def rounded(value: Decimal, digits: int) -> Decimal:
    """Rounded as people do: a half goes away from zero."""
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def day_of(value: datetime | None, zone: tzinfo) -> date | None:
    """The day in a time zone."""
    return None if value is None else value.astimezone(zone).date()


def month_of(value: datetime | None, zone: tzinfo) -> date | None:
    """The first day of the month in a time zone."""
    return None if value is None else value.astimezone(zone).date().replace(day=1)


@dataclass
class Line:
    """A returned unit."""

    raw: Row

    def __post_init__(self) -> None:
        raw = self.raw
        self.id = str(raw["line_item_id"])
        self.provider_id, self.product, self.variant, self.sku, self.barcode, self.title = (
            word(raw.get(name)) for name in ("provider_line_item_id", "product_id", "variant_id", "sku", "barcode", "title")
        )
        self.price, self.discount, self.tax, self.refund, self.refund_item, self.refund_tax = (
            money(raw.get(name)) for name in ("price", "discount", "tax", "refund", "refund_item", "refund_tax")
        )
        self.reason, self.parent_reason = word(raw.get("return_reason")), word(raw.get("parent_return_reason"))
        self.comment, self.outcome = word(raw.get("return_comment")), word(raw.get("outcome"))
        self.exchange_variant = word(raw.get("exchange_variant"))
        condition, disposition = raw.get("condition") or {}, raw.get("disposition") or {}
        self.grade = condition.get("condition_category")
        self.inspected = moment(condition.get("inspected_at")) or moment(disposition.get("inspected_at"))
        self.disposition = word(disposition.get("disposition_outcome"))
        self.is_inspected = bool(self.inspected or word(self.grade) or self.disposition)

    @property
    def value(self) -> Decimal:
        return add((self.price, self.tax)) - (self.discount or ZERO)

    @property
    def reasons(self) -> tuple[str, str]:
        """The one above, else the one chosen; the one chosen."""
        return self.parent_reason or self.reason or "(none given)", self.reason or "(none given)"

    @property
    def is_kept(self) -> bool:
        """True when the shopper keeps it."""
        return (self.outcome or "").lower() == "keep"


@dataclass
class Swap:
    """An item that the shopper gets in exchange."""

    raw: Row

    def __post_init__(self) -> None:
        raw = self.raw
        self.id = str(raw["exchange_id"])
        self.order, self.order_name, self.product, self.variant, self.sku, self.title, self.kind, self.resolution = (
            word(raw.get(name))
            for name in ("exchange_order_id", "exchange_order_name", "product_id", "variant_id", "sku", "title", "type",
                         "out_of_stock_resolution")
        )  # fmt: skip
        self.price, self.discount, self.tax, self.total = (
            money(raw.get(name)) for name in ("price", "discount", "tax", "total")
        )


@dataclass
class Label:
    """A label of a return, by its place among them."""

    index: int
    raw: Row

    def __post_init__(self) -> None:
        raw = self.raw
        self.status, self.carrier = lower(raw.get("status")), word(raw.get("carrier"))
        self.tracking, self.rate = word(raw.get("tracking_number")), money(raw.get("rate"))
        self.scanned = moment(raw.get("updated_at"))
        units = raw.get("line_items")
        self.units = None if units is None else [str(one) for one in units]
        self.stage = stage_of(self.status)


STAGES = {
    "not sent": ("new", "pre_transit", "pending"),
    "on its way": ("in_transit", "out_for_delivery"),
    "delivered": ("delivered",),
    "problem": ("error", "failure"),
}


def stage_of(status: str | None) -> str:
    """How far a package is, in one of five words."""
    return next((stage for stage, words in STAGES.items() if (status or "") in words), "unknown")


@dataclass
class Refund:
    """A Shopify refund."""

    raw: Row

    def __post_init__(self) -> None:
        self.id, self.provider_id = str(self.raw["id"]), word(self.raw.get("provider_refund_id"))
        self.recorded = moment(self.raw.get("created_at"))
        self.at = moment(self.raw.get("provider_created_at")) or self.recorded


@dataclass
class Return:
    """A return of the list."""

    shop: str
    raw: Row
    notices: list[Notice] = field(default_factory=list)  # those that belong to it, linked by `links`

    def __post_init__(self) -> None:
        raw = self.raw
        self.id, self.state = str(raw["id"]), raw["state"]
        self.key = (self.shop, self.id)
        self.is_void, self.is_waiting = self.state in OVER, self.state in WAITING
        self.submitted, self.updated, self.edited = (
            moment(raw.get(name)) for name in ("created_at", "updated_at", "edited_at")
        )
        self.type, self.outcome, self.currency, self.order = (
            word(raw.get(name)) for name in ("type", "outcome", "currency", "provider_order_id")
        )
        self.customer = lower(raw.get("customer"))
        self.lines = [Line(one) for one in raw.get("line_items") or ()]
        self.swaps = [Swap(one) for one in raw.get("exchanges") or ()]
        self.labels = [Label(index, one) for index, one in enumerate(raw.get("labels") or ())]
        refunds = raw.get("shopify_refund_object") or []
        self.refunds = [Refund(one) for one in ([refunds] if isinstance(refunds, dict) else refunds)]
        self.processed = {name: moment(value) for name, value in (raw.get("outcomes_processed_at") or {}).items()}

    def word(self, name: str) -> str | None:
        return word(self.raw.get(name))

    def amount_if_any(self, name: str) -> Decimal | None:
        return money(self.raw.get(name))

    def amount(self, name: str) -> Decimal:
        return money(self.raw.get(name)) or ZERO

    @cached_property
    def method(self) -> str | None:
        """Who runs the way of return, or the way in one word."""
        method = self.raw.get("return_method")
        return word(method.get("provider")) if isinstance(method, dict) else word(method)

    @property
    def method_state(self) -> str | None:
        method = self.raw.get("return_method")
        return lower(method.get("state")) if isinstance(method, dict) else None


@dataclass
class Notice:
    """A row of the ASN report."""

    raw: Row
    return_id: str | None = None  # set by `links`
    is_newest: bool = False

    def __post_init__(self) -> None:
        raw = self.raw
        self.id, self.unit = str(raw["id"]), str(raw["return_line_item_id"])
        self.order = word(raw.get("order_id"))
        self.submitted, self.updated, self.ordered, self.delivered, self.closed, self.scanned = (
            moment(raw.get(name))
            for name in ("created_at", "updated_at", "provider_created_at", "date_delivered", "closed_at",
                         "label_updated_at")
        )  # fmt: skip
        self.price = money(raw.get("purchase_price"))

    def word(self, name: str) -> str | None:
        return word(self.raw.get(name))
