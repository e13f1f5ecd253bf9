"""The charts of the report, for the page and for notebooks.

Each function takes `Data` and returns an Altair chart that shows itself at the end of a notebook's cell:

    from loop_returns.report.data import read_data
    from loop_returns.report.figures import returns_over_time
    from loop_returns.warehouse.destination import find_target

    returns_over_time(read_data(find_target(file="loop.duckdb"), days=365))

Shop, currency and dates are parameters of each chart, with fields to set them, and all sums are made inside the chart: of
whole ten-thousandths, so that they are exact, and of one currency only. The page binds the parameters to its own fields.
"""

from datetime import timedelta
from typing import Any, Final

import altair as alt

from loop_returns.report import parts
from loop_returns.report.data import SCALE, Data
from loop_returns.report.parts import amount, chosen, counts, tip

MEASURES: Final = ("returns", "units", "returned", "retained", "refunded", "close_days", "closed")


def headlines(data: Data) -> alt.Chart:
    """Sums of the chosen days and, where the data go back so far, of as many days before.

    Amounts and days are whole ten-thousandths. The page writes them in its tiles; by itself it is a table of text.
    """
    earliest = f"utcFormat(2 * toDate(from) - toDate(to) - {parts.DAY}, '%Y-%m-%d')"
    first = max(data.first, data.since).isoformat()
    sums: Any = {name: f"sum({name})" for name in MEASURES}
    chart = (
        chosen(data, "daily", dated=False)
        .transform_filter(f"datum.day <= to && (datum.day >= from || (datum.day >= {earliest} && {earliest} >= '{first}'))")
        .transform_calculate(period="datum.day >= from ? 'chosen' : 'before'")
        .transform_aggregate(**sums, groupby=["period"])
        .transform_fold(list(MEASURES), as_=["measure", "value"])
        .mark_text()
    )
    y = alt.Y("measure:N", sort=list(MEASURES))
    return parts.finish(chart.encode(x="period:N", y=y, text=alt.Text("value:Q", format=",.0f")))


def returns_over_time(data: Data) -> alt.Chart:
    """Returns by day, week or month and by what the shopper takes."""
    chart = parts.by_period(chosen(data, "daily"), "outcome", returns="sum(returns)")
    return parts.over_time(chart, "outcome", parts.OUTCOMES, "returns", tip("returns", ","))


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


def durations(data: Data) -> alt.Chart:
    """The share of returns that were delivered, refunded and closed within so many days, of those that ever were."""
    chart = (
        chosen(data, "durations")
        .transform_aggregate(returns="sum(returns)", groupby=["step", "up_to"])
        .transform_joinaggregate(known="sum(returns)", groupby=["step"])
        .transform_window(so_far="sum(returns)", sort=[alt.SortField("up_to")], groupby=["step"])
        .transform_calculate(share="datum.so_far / datum.known")
        .transform_filter("datum.up_to < 999")
        .mark_line(point=alt.OverlayMarkDef(size=45), strokeWidth=2.5)
    )
    scale, axis = alt.Scale(domain=[3, 5, 7, 10, 14, 21, 30, 60]), alt.Axis(labelAngle=0, grid=False)
    encoded = chart.encode(
        x=alt.X("up_to:O", title="within days", scale=scale, axis=axis),
        y=alt.Y("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5)),
        color=parts.colours("step", parts.STEPS)["color"],
        tooltip=["step:N", "up_to:O", tip("share", ".1%"), tip("known", ",", "returns for which it is known")],
    )
    return parts.finish(encoded)


def reasons(data: Data) -> alt.Chart:
    """The reasons given for most units."""
    parent, own = "datum.parent_reason", "datum.reason"
    name = f"{parent} == {own} ? {own} : {parent} + ' › ' + {own}"
    return parts.ranking(chosen(data, "reasons").transform_calculate(name=name))


def products(data: Data) -> alt.Chart:
    """The products that came back most; the reason in a tooltip is the one most often given in a product's whole history."""
    return parts.ranking(chosen(data, "products").transform_calculate(name="datum.product"), "main_reason")


def carriers(data: Data) -> alt.Chart:
    """Labels by carrier and by how far the package is."""
    chart = (
        chosen(data, "carriers")
        .transform_joinaggregate(days="sum(deliver_days)", known="sum(measured)", total="sum(labels)", groupby=["carrier"])
        .transform_aggregate(labels="sum(labels)", groupby=["carrier", "stage", "days", "known", "total"])
        .transform_calculate(mean=f"datum.known ? datum.days / datum.known / {SCALE} : null")
        .mark_bar(height=10, yOffset=7)
    )
    tips = ["carrier:N", "stage:N", tip("labels", ","), tip("mean", ".1f", "mean days to deliver")]
    encoding = {"x": counts(alt.X, "labels"), "y": parts.names("carrier", "total"), "tooltip": tips}
    carriers = {row["carrier"] for row in data.tables["carriers"]}
    return parts.by_stage(data, "carriers", chart, parts.ROW * (len(carriers) + 1), **encoding)


def coming(data: Data) -> alt.Chart:
    """Units that are still to arrive, by the day they are expected; the chosen dates do not matter."""
    until = (data.made_at.date() + timedelta(days=13)).isoformat()
    rank = f"datum.overdue ? '0' : !datum.day ? '9999' : datum.day > '{until}' ? '9998' : datum.day"
    words = "{'0': 'overdue', '9998': 'later', '9999': 'no date'}[datum.rank]"
    chart = (
        chosen(data, "coming", dated=False)
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
        chosen(data, "waiting", dated=False)
        .transform_aggregate(**sums, groupby=["age", "stage"])
        .transform_calculate(value=amount("datum.returned"), refund=amount("datum.due"))
        .mark_bar()
    )
    x = alt.X("age:N", title=None, axis=alt.Axis(labelAngle=0, grid=False, labelExpr="replace(datum.label, ' days', '')"))
    amounts = [tip("value", ",.2f", "returned value"), tip("refund", ",.2f", "refunds")]
    tips = ["age:N", "stage:N", tip("returns", ","), *amounts]
    return parts.by_stage(data, "waiting", chart, x=x, y=counts(alt.Y, "returns"), tooltip=tips)


FIGURES: Final = (headlines, returns_over_time, value_over_time, durations, carriers, reasons, products, coming, waiting)
