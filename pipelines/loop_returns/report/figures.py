"""The charts of the report, for the page and for notebooks.

Each function takes `Data` and returns an Altair chart that shows itself at the end of a notebook's cell:

    from loop_returns.report.data import read_data
    from loop_returns.report.figures import returns_over_time
    from loop_returns.warehouse.destination import find_target

    returns_over_time(read_data(find_target(file="loop.duckdb"), days=365))

Shop, currency, country, destination, date basis and days are parameters of each chart, with fields to set them, and all sums
are made inside the chart: of whole ten-thousandths, so that they are exact, and of one currency only. The page binds
the parameters to its own fields.
"""

from datetime import timedelta
from typing import Any, Final

import altair as alt

from loop_returns.report import parts
from loop_returns.report.data import Data
from loop_returns.report.parts import amount, chosen, counts, tip

_AGE: Final = "replace(replace(datum.label, ' days', ''), regexp('(^|-)0', 'g'), '$1')"  # 00-07 days -> 0-7
_FEWEST: Final = 10  # returns that a share has to be of


def returns_over_time(data: Data) -> alt.Chart:
    """Returns by day, week or month and by what the shopper takes."""
    kinds = dict(zip(("exchange", "credit", "refund", "several", "none_yet"), parts.OUTCOMES, strict=True))
    folded = chosen(data, "daily").transform_fold(list(kinds), as_=["column", "part"])
    chart = parts.by_period(folded, "column", returns="sum(part)").transform_calculate(outcome=f"{kinds}[datum.column]")
    return parts.over_time(
        chart.transform_filter("datum.returns > 0"), "outcome", parts.OUTCOMES, "returns", tip("returns", ",")
    )


def value_over_time(data: Data) -> alt.Chart:
    """What became of the returned value, by day, week or month: kept as exchange, kept as store credit, refunded."""
    kinds = {"as_exchange": "Exchange", "as_credit": "Store credit", "refunded": "Refund"}
    folded = chosen(data, "daily").transform_fold(list(kinds), as_=["column", "part"])
    chart = parts.by_period(folded, "column", part="sum(part)", returned="sum(returned)").transform_calculate(
        kind=f"{kinds}[datum.column]",
        amount=amount("datum.part"),
        share="datum.returned > 0 ? datum.part / datum.returned : null",
    )
    tips = [tip("amount", ",.2f"), tip("share", ".1%", "of the returned value")]
    return parts.over_time(chart, "kind", {kind: parts.OUTCOMES[kind] for kind in kinds.values()}, "amount", *tips)


def retained_share(data: Data) -> alt.LayerChart:
    """The share of the returned value that was retained, of each day, week or month together with the three before it.

    Those without returns do not count. Without ten returns in four there is no point: a share of a few says nothing.
    """
    sums: Any = {name: f"sum({name})" for name in ("retained", "returned", "returns")}
    over: Any = {f"{name}_in_4": f"sum({name})" for name in ("retained", "returned", "returns")}
    chart = (
        parts.by_period(chosen(data, "daily", by="window"), **sums)
        .transform_window(**over, sort=[alt.SortField("start")], frame=[-3, 0])
        .transform_filter(f"datum.end >= toDate(from) && datum.returned_in_4 > 0 && datum.returns_in_4 >= {_FEWEST}")
        .transform_calculate(share="datum.retained_in_4 / datum.returned_in_4")
    )
    tips = [tip("share", ".1%"), tip("returns", ","), tip("returns_in_4", ",", "returns it is of")]
    return parts.shares(chart, parts.times("start"), "returns", color=alt.value(parts.BLUE), tooltip=["period:N", *tips])


def return_rates(data: Data) -> alt.LayerChart:
    """The share of units sold that came back within 30, 60 and 90 days of the order, by month of the order."""
    days: list[Any] = ["30", "60", "90"]
    sums: Any = {f"{name}_{one}": f"sum({name}_{one})" for name in ("sold", "returned") for one in days}
    chart = (
        chosen(data, "rates", by="month")
        .transform_aggregate(**sums, groupby=["month"])
        .transform_calculate(start="toDate(datum.month)", period="utcFormat(toDate(datum.month), '%B %Y')")
        .transform_fold(days, as_=["days", "nothing"])
        .transform_calculate(sold="datum['sold_' + datum.days]", back="datum['returned_' + datum.days]")
        .transform_filter("datum.sold > 0")
        .transform_calculate(share="datum.back / datum.sold", within="'within ' + datum.days + ' days'")
    )
    colour = parts.colours("within", {f"within {one} days": ink for one, ink in zip(days, parts.SHADES, strict=True)})[
        "color"
    ]
    tips = ["period:N", "within:N", tip("share", ".1%"), tip("sold", ",", "units sold"), tip("back", ",", "came back")]
    return parts.shares(chart, parts.times("start", months=True), "sold", color=colour, tooltip=tips)


def durations(data: Data) -> alt.Chart:
    """The share of returns that were delivered, refunded and closed within so many days, of those that ever were."""
    ends = ["3", "5", "7", "10", "14", "21", "30", "60"]
    sums: Any = {one: f"sum({one})" for one in (*(f"to_{end}" for end in ends), "more")}
    chart = (
        chosen(data, "durations")
        .transform_aggregate(**sums, groupby=["step"])
        .transform_calculate(known=" + ".join(f"datum.{one}" for one in sums))
        .transform_fold([*sums], as_=["within", "part"])
        .transform_window(so_far="sum(part)", groupby=["step"])
        .transform_filter("datum.within != 'more' && datum.known > 0")
        .transform_calculate(share="datum.so_far / datum.known", up_to="slice(datum.within, 3)")
        .mark_line(point=alt.OverlayMarkDef(size=45), strokeWidth=2.5)
    )
    encoded: alt.Chart = chart.encode(
        x=alt.X("up_to:O", title="within days", sort=ends, axis=alt.Axis(labelAngle=0, grid=False)),
        y=alt.Y("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5)),
        color=parts.colours("step", parts.STEPS)["color"],
        tooltip=["step:N", "up_to:O", tip("share", ".1%"), tip("known", ",", "returns for which it is known")],
    )
    return parts.finish(encoded)


def coming(data: Data) -> alt.Chart:
    """Units that are still to arrive, by the day they are expected; the chosen dates do not matter."""
    until = (data.made_at.date() + timedelta(days=13)).isoformat()
    rank = f"datum.overdue ? '0' : !datum.day ? '9999' : datum.day > '{until}' ? '9998' : datum.day"
    words = "{'0': 'overdue', '9998': 'later', '9999': 'no date'}[datum.rank]"
    chart = (
        chosen(data, "coming", by="")
        .transform_calculate(rank=rank)
        .transform_calculate(expected=f"{words} || utcFormat(toDate(datum.rank), '%-d %b')")
        .transform_aggregate(units="sum(units)", groupby=["rank", "expected", "stage"])
        .mark_bar()
    )
    axis = alt.Axis(labelAngle=0, labelOverlap=True, grid=False)
    x = alt.X("expected:N", title=None, sort=alt.EncodingSortField("rank", op="min"), axis=axis)
    return parts.by_stage(
        data, "coming", chart, x=x, y=counts(alt.Y, "units"), tooltip=["expected:N", "stage:N", tip("units", ",")]
    )


def waiting(data: Data) -> alt.Chart:
    """Returns that are open or in review, by age in days and by where the goods are; the chosen dates do not matter."""
    sums: Any = {"returns": "sum(returns)", "returned": "sum(returned)", "due": "sum(refund_due)"}
    chart = (
        chosen(data, "waiting", by="")
        .transform_aggregate(**sums, groupby=["age", "stage"])
        .transform_calculate(value=amount("datum.returned"), refund=amount("datum.due"))
        .mark_bar()
    )
    x = alt.X("age:N", title=None, axis=alt.Axis(labelAngle=0, grid=False, labelExpr=_AGE))
    amounts = [tip("value", ",.2f", "returned value"), tip("refund", ",.2f", "refunds")]
    tips = ["age:N", "stage:N", tip("returns", ","), *amounts]
    return parts.by_stage(data, "waiting", chart, x=x, y=counts(alt.Y, "returns"), tooltip=tips)


FIGURES: Final = (returns_over_time, value_over_time, retained_share, return_rates, durations, coming, waiting)
