"""What the charts have in common: the rows that are chosen, periods, axes, colours, look."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import altair as alt

from loop_returns.report.data import SCALE, Data

# colours that people who see few colours can tell apart (Okabe and Ito), legible on white and on black
BLUE, GREEN, ORANGE, PINK, RED, GREY = "#0079bf", "#009e73", "#e69f00", "#cc79a7", "#d55e00", "#8c8c8c"
OUTCOMES: Final = {"Exchange": BLUE, "Store credit": GREEN, "Refund": ORANGE, "Several": PINK, "None yet": GREY}
STAGES: Final = {
    "delivered": GREEN, "partly delivered": "#7bc8a4", "on its way": BLUE, "not sent": ORANGE, "no label": PINK,
    "problem": RED, "unknown": GREY, "void": "#bdbdbd",
}  # fmt: skip
SHADES: Final = ("#5ab4f0", BLUE, "#c06000")
STEPS: Final = {"Delivered": BLUE, "Refunded": ORANGE, "Closed": GREEN}
DAY: Final = 86_400_000  # milliseconds
LENGTH: Final = f"(toDate(to) - toDate(from)) / {DAY}"
Drawn = TypeVar("Drawn", alt.Chart, alt.LayerChart)
STATE: Final = ("shop", "currency", "country", "destination", "basis", "from", "to")  # what can be chosen


def chosen(data: Data, name: str, *, by: str = "day") -> alt.Chart:
    """The rows of a table that belong to what is chosen, as far as its columns tell; `by` is what its days are, if any.

    Months count when one of their days is chosen; a window begins three days, weeks or months earlier.
    """
    currencies = data.most("currency") or [""]
    chart = alt.Chart(alt.NamedData(name) if data.is_named else alt.InlineData(data.plain(name))).add_params(
        alt.param("shop", value="", bind=alt.binding_select(options=["", *data.shops])),
        alt.param("currency", value=currencies[0], bind=alt.binding_select(options=currencies)),
        alt.param("country", value="", bind=alt.binding_select(options=["", *data.most("country")])),
        alt.param("destination", value="", bind=alt.binding_select(options=["", *data.most("destination")])),
        alt.param("basis", value="submitted", bind=alt.binding_select(options=["submitted", "ordered"])),
        alt.param("from", value=data.start.isoformat(), bind=alt.binding(input="date")),
        alt.param("to", value=data.last.isoformat(), bind=alt.binding(input="date")),
    )
    columns = data.tables[name].column_names
    for one in STATE[:5]:
        if one in columns:
            chart = chart.transform_filter(f"!{one} || datum.{one} == {one}")
    first = {"month": "slice(from, 0, 7)", "window": BEFORE}.get(by, "from")
    day = "month" if by == "month" else "day"
    return chart.transform_filter(f"datum.{day} >= {first} && datum.{day} <= to") if by else chart


def _by_length(day: str, week: str, month: str) -> str:
    return f"({LENGTH} < 35 ? {day} : {LENGTH} < 740 ? {week} : {month})"


BEFORE: Final = f"utcFormat(toDate(from) - {_by_length('3', '21', '93')} * {DAY}, '%Y-%m-%d')"  # three periods before


def by_period(chart: alt.Chart, *kinds: str, **sums: Any) -> alt.Chart:
    """Adds up by days, weeks from Monday or months, whichever the chosen days make readable, and by the kinds."""
    week = f"datum.time - ((datum.time / {DAY} + 3) % 7) * {DAY}"  # 1970-01-01 was a Thursday

    added: alt.Chart = (
        chart.transform_calculate(time="toDate(datum.day)")
        .transform_calculate(start=_by_length("datum.time", week, "utc(utcyear(datum.time), utcmonth(datum.time), 1)"))
        .transform_aggregate(**sums, groupby=["start", *kinds])
        .transform_calculate(
            end="datum.start + " + _by_length(f"0.85 * {DAY}", f"6 * {DAY}", f"26 * {DAY}"),
            period=_by_length(
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
    encoded: alt.Chart = stacked.mark_rect().encode(
        x=times("start"),
        x2="end",
        y=counts(alt.Y, "low"),
        y2="high",
        color=colours(kind, kinds)["color"],
        tooltip=["period:N", f"{kind}:N", *tips],
    )
    return finish(encoded)


def shares(chart: alt.Chart, x: alt.X, volume: str, **encoding: Any) -> alt.LayerChart:
    """A line of `share`, with points whose size shows how many returns or units a share is of."""
    size = alt.Size(f"{volume}:Q", legend=None, scale=alt.Scale(range=[8, 160]))
    y = alt.Y("share:Q", title=None, axis=alt.Axis(format="%", tickCount=5))
    base = chart.encode(x=x, y=y, **encoding)
    both: alt.LayerChart = base.mark_line(strokeWidth=2.5) + base.mark_point(filled=True, opacity=1).encode(size=size)
    return finish(both)


def by_stage(data: Data, table: str, chart: alt.Chart, height: int = 230, **encoding: Any) -> alt.Chart:
    """Bars in the colours of the stages that the table has."""
    used = set(data.column(table, "stage"))
    stages = {stage: colour for stage, colour in STAGES.items() if stage in used}
    encoded: alt.Chart = chart.encode(**colours("stage", stages), **encoding)
    return finish(encoded, height)


def colours(column: str, kinds: Mapping[str, str]) -> dict[str, Any]:
    """The colour of each kind, and their order, which is that of the stack too."""
    ordered = list(kinds)
    scale = alt.Scale(domain=ordered, range=list(kinds.values()))
    order = alt.Order(f"color_{column}_sort_index:Q")  # Vega-Lite makes it of `sort`
    return {"color": alt.Color(f"{column}:N", sort=ordered, scale=scale, title=None), "order": order}


def times(column: str, *, months: bool = False) -> alt.X:
    """An axis of days, or of months."""
    ticks: Any = {"format": "%b %Y", "tickCount": {"interval": "month", "step": 1}} if months else {"tickCount": 6}
    axis = alt.Axis(grid=False, labelOverlap=True, labelFlush=True, **ticks)
    return alt.X(f"{column}:T", title=None, scale=alt.Scale(type="utc"), axis=axis)


def counts(channel: Any, column: str) -> Any:
    """An axis of counts or amounts."""
    axis = alt.Axis(labelExpr="datum.value % 1 ? '' : format(datum.value, '~s')", tickMinStep=1, tickCount=5)
    return channel(f"{column}:Q", title=None, axis=axis)


def tip(column: str, form: str, title: str | None = None) -> alt.Tooltip:
    """A number in the tooltip."""
    return alt.Tooltip(f"{column}:Q", format=form, title=title or column)


def amount(sum_of: str) -> str:
    """A sum of ten-thousandths, rounded to cents."""
    return f"round({sum_of} / {SCALE // 100}) / 100"


def finish(chart: Drawn, height: int = 230) -> Drawn:
    """As wide as its place, and in the text colour of what is around it: light or dark."""
    ink = {"labelColor": "currentColor", "titleColor": "currentColor", "labelFontSize": 12, "titleFontSize": 12}
    grid = {"gridColor": "currentColor", "gridOpacity": 0.15, "domain": False, "ticks": False, "labelPadding": 6}
    config = {
        "font": "system-ui, sans-serif",
        "view": {"stroke": None},
        "text": {"color": "currentColor"},
        "axis": ink | grid | {"titleFontWeight": "normal"},
        "legend": ink | {"orient": "top", "columns": {"expr": "width < 420 ? 3 : 8"}, "symbolType": "square", "offset": 8},
    }
    look: Any = {"width": "container", "height": height, "background": "transparent", "padding": 2, "config": config}
    finished: Drawn = chart.properties(**look)
    return finished
