"""Money of a return: lines and exchange items add up to the header.

What holds for every body (as in the documentation's examples, detailed-returns-list): the lines' `refund` sum
to the return's, which is `total` too; `return_total` = `return_credit_total` + `refund` + `handling_fee`, which is taken off
the refund of a line; exchange items sum to `exchange_total`; credit not spent on them is `gift_card`, spent beyond it is
`upsell`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def cents(value: object) -> int:
    """Cents of a decimal string or number; nothing counts as 0."""
    return round(float(str(value)) * 100) if value not in (None, "") else 0


def money(amount: int) -> str:
    """Cents as the API's decimal string: 6330 -> `63.30`."""
    return f"{amount // 100}.{amount % 100:02d}"


def price_line(line: dict[str, Any], *, refunded: bool) -> None:
    """Set a line's refund fields: its whole value after discount and tax, or nothing."""
    item = cents(line["price"]) - cents(line["discount"]) if refunded else 0
    tax = cents(line["tax"]) if refunded else 0
    line["refund_item"], line["refund_tax"], line["refund"] = money(item), money(tax), money(item + tax)


def _total(rows: Iterable[dict[str, Any]], key: str) -> int:
    return sum(cents(row.get(key)) for row in rows)


def add_up(body: dict[str, Any], rate: float | None = None) -> None:
    """Recompute a return's totals and outcome from its lines and exchange items.

    Args:
        body: a body of the returns list; changed in place.
        rate: presentment currency per unit of the shop's, for returns placed in another currency.
    """
    lines, exchanges = body["line_items"], body["exchanges"]
    product, discount, tax = (_total(lines, key) for key in ("price", "discount", "tax"))
    fee = _take_off(lines, cents(body.get("handling_fee")))
    refund, value = _total(lines, "refund"), _total(exchanges, "total")
    credit = product - discount + tax - refund - fee
    spent = min(credit, value)
    gift = credit - spent
    amounts = {
        "total": refund,
        "return_product_total": product,
        "return_discount_total": discount,
        "return_tax_total": tax,
        "return_total": product - discount + tax,
        "return_credit_total": credit,
        "exchange_product_total": _total(exchanges, "price"),
        "exchange_discount_total": _total(exchanges, "discount"),
        "exchange_tax_total": _total(exchanges, "tax"),
        "exchange_total": value,
        "exchange_credit_total": spent,
        "gift_card": gift,
        "handling_fee": fee,
        "refund": refund,
        "upsell": value - spent,
    }
    body.update({name: money(amount) for name, amount in amounts.items()})
    body["outcome"] = _outcome(refund=refund, value=value, upsell=value - spent, gift=gift)
    body["gift_card_presentment"] = {"amount": money(gift), "currency": body["currency"]} if gift else None
    if rate is not None and isinstance(body.get("presentment"), dict):
        body["presentment"]["total"] = body["presentment"]["refund"] = money(round(refund * rate))


def _take_off(lines: list[dict[str, Any]], fee: int) -> int:
    """Takes the fee off the refund of the dearest line and returns it; without a refund there is none."""
    refunded = [line for line in lines if cents(line["refund"])]
    if not fee or not refunded:
        return 0
    for line in refunded:  # one may bear the fee already
        price_line(line, refunded=True)
    dearest = max(refunded, key=lambda line: cents(line["refund_item"]))
    fee = min(fee, cents(dearest["refund_item"]))
    for name in ("refund_item", "refund"):
        dearest[name] = money(cents(dearest[name]) - fee)
    return fee


def _outcome(*, refund: int, value: int, upsell: int, gift: int) -> str:
    if value:
        return "upsell" if upsell else "exchange+refund" if refund else "exchange+credit" if gift else "exchange"
    if gift:
        return "credit+refund" if refund else "credit"
    return "refund"
