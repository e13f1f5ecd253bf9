"""What the charts have in common: the rows that are chosen, periods, axes, colours, look."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import altair as alt

from loop_returns.report.data import SCALE, Data

# colours that people who see few colours can tell apart (Okabe and Ito), legible on white and on black
BLUE, GREEN, ORANGE, PINK, RED, GREY = "#0079bf", "#009e73", "#e69f00", "#cc79a7", "#d55e00", "#8c8c8c"
OUTCOMES: Final = {"Exchange": BLUE, "Store credit": GREEN, "Refund": ORANGE, "Several": PINK, "None yet": GREY}
STAGES: Final = {
    "delivered": GREEN, "partly delivered": "#7bc8a4", "on its way": BLUE, "not sent": ORANGE, "no label": PINK,
    "problem": RED, "unknown": GREY, "void": "#bdbdbd",
}  # fmt: skip
STEPS: Final = {"Delivered": BLUE, "Refunded": ORANGE, "Closed": GREEN}
DAY: Final = 86_400_000  # milliseconds
LENGTH: Final = f"(toDate(to) - toDate(from)) / {DAY}"
_TOP: Final = 10  # bars of a ranking
ROW: Final = 38  # height of a bar with its name above it


def chosen(data: Data, name: str, *, dated: bool = True) -> alt.Chart:
    """The rows of a table that belong to the chosen shop and currency and, where `dated`, to the chosen days."""
    currencies = data.currencies() or [""]
    start = max(data.first, data.last - timedelta(days=364))
    chart = alt.Chart(alt.InlineData(data.plain(name))).add_params(
        alt.param("shop", value="", bind=alt.binding_select(options=["", *data.shops])),
        alt.param("currency", value=currencies[0], bind=alt.binding_select(options=currencies)),
        alt.param("from", value=start.isoformat(), bind=alt.binding(input="date")),
        alt.param("to", value=data.last.isoformat(), bind=alt.binding(input="date")),
    )
    chart = chart.transform_filter("(!shop || datum.shop == shop) && datum.currency == currency")
    return chart.transform_filter("datum.day >= from && datum.day <= to") if dated else chart


def by_period(chart: alt.Chart, kind: str, **sums: Any) -> alt.Chart:
    """Adds up by days, weeks from Monday or months, whichever the chosen days make readable, and by `kind`."""
    week = f"datum.time - ((datum.time / {DAY} + 3) % 7) * {DAY}"  # 1970-01-01 was a Thursday

    def by_length(day: str, week: str, month: str) -> str:
        return f"({LENGTH} < 35 ? {day} : {LENGTH} < 740 ? {week} : {month})"

    added: alt.Chart = (
        chart.transform_calculate(time="toDate(datum.day)")
        .transform_calculate(start=by_length("datum.time", week, "utc(utcyear(datum.time), utcmonth(datum.time), 1)"))
        .transform_aggregate(**sums, groupby=["start", kind])
        .transform_calculate(
            end="datum.start + " + by_length(f"0.85 * {DAY}", f"6 * {DAY}", f"26 * {DAY}"),
            period=by_length(
                "utcFormat(datum.start, '%-d %b %Y')",
                "'week from ' + utcFormat(datum.start, '%-d %b %Y')",
                "utcFormat(datum.start, '%B %Y')",
            ),
        )
    )
    return added


def over_time(chart: alt.Chart, kind: str, kinds: Mapping[str, str], value: str, *tips: alt.Tooltip) -> alt.Chart:
    """Bars as wide as the periods that `by_period` made, each a stack of the values of the kinds, in their order."""
    stacked = chart.transform_calculate(place=f"indexof({list(kinds)}, datum.{kind})").transform_stack(
        ["low", "high"], stack=value, groupby=["start"], sort=[alt.SortField("place")]
    )
    axis = alt.Axis(grid=False, tickCount=6, labelOverlap=True, labelFlush=True)
    encoded = stacked.mark_rect().encode(
        x=alt.X("start:T", title=None, scale=alt.Scale(type="utc"), axis=axis),
        x2="end",
        y=counts(alt.Y, "low"),
        y2="high",
        color=colours(kind, kinds)["color"],
        tooltip=["period:N", f"{kind}:N", *tips],
    )
    return finish(encoded)


def ranking(chart: alt.Chart, *more: str) -> alt.Chart:
    """Bars of the values of `name` with most units; `more` is what else the tooltips tell of each."""
    bars = (
        chart.transform_aggregate(units="sum(units)", returned="sum(returned)", groupby=["name", *more])
        .transform_joinaggregate(all="sum(units)")
        .transform_joinaggregate(total="sum(units)", groupby=["name"])
        .transform_window(place="dense_rank()", sort=[alt.SortField("total", order="descending"), alt.SortField("name")])
        .transform_filter(f"datum.place <= {_TOP}")
        .transform_calculate(value=amount("datum.returned"), share="datum.units / datum.all")
        .mark_bar(color=BLUE, height=10, yOffset=7)
    )
    words = [alt.Tooltip(f"{column}:N") for column in ("name", *more)]
    tips = [*words, tip("units", ","), tip("share", ".1%"), tip("value", ",.2f", "returned value")]
    return finish(bars.encode(x=counts(alt.X, "units"), y=names("name", "total"), tooltip=tips), ROW * _TOP)


def by_stage(data: Data, table: str, chart: alt.Chart, height: int = 230, **encoding: Any) -> alt.Chart:
    """Bars in the colours of the stages that the table has."""
    used = {row["stage"] for row in data.tables[table]}
    stages = {stage: colour for stage, colour in STAGES.items() if stage in used}
    return finish(chart.encode(**colours("stage", stages), **encoding), height)


def colours(column: str, kinds: Mapping[str, str]) -> dict[str, Any]:
    """The colour of each kind, and their order, which is that of the stack too."""
    ordered = list(kinds)
    scale = alt.Scale(domain=ordered, range=list(kinds.values()))
    order = alt.Order(f"color_{column}_sort_index:Q")  # Vega-Lite makes it of `sort`
    return {"color": alt.Color(f"{column}:N", sort=ordered, scale=scale, title=None), "order": order}


def counts(channel: Any, column: str) -> Any:
    """An axis of counts or amounts."""
    axis = alt.Axis(labelExpr="datum.value % 1 ? '' : format(datum.value, '~s')", tickMinStep=1, tickCount=5)
    return channel(f"{column}:Q", title=None, axis=axis)


def names(column: str, by: str) -> alt.Y:
    """Names, the one with most first, written above their bars so that long ones fit on a phone."""
    above = alt.Axis(grid=False, labelAlign="left", labelPadding=0, labelOffset=-9, labelLimit=310, zindex=1)
    return alt.Y(f"{column}:N", title=None, sort=alt.EncodingSortField(by, op="max", order="descending"), axis=above)


def tip(column: str, form: str, title: str | None = None) -> alt.Tooltip:
    """A number in the tooltip."""
    return alt.Tooltip(f"{column}:Q", format=form, title=title or column)


def amount(sum_of: str) -> str:
    """A sum of ten-thousandths, rounded to cents."""
    return f"round({sum_of} / {SCALE // 100}) / 100"


def finish(chart: alt.Chart, height: int = 230) -> alt.Chart:
    """As wide as its place, and in the text colour of what is around it: light or dark."""
    ink = {"labelColor": "currentColor", "titleColor": "currentColor", "labelFontSize": 12, "titleFontSize": 12}
    grid = {"gridColor": "currentColor", "gridOpacity": 0.15, "domain": False, "ticks": False, "labelPadding": 6}
    config = {
        "font": "system-ui, sans-serif",
        "view": {"stroke": None},
        "text": {"color": "currentColor"},
        "axis": ink | grid | {"titleFontWeight": "normal"},
        "legend": ink | {"orient": "top", "columns": 3, "symbolType": "square", "offset": 8},
    }
    look: Any = {"width": "container", "height": height, "background": "transparent", "padding": 2, "config": config}
    return chart.properties(**look)
