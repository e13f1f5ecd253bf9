// Draws charts with Chart.js, each with a legend, a sentence for screen readers and a table of its numbers.

const drawn = new Map();

/** An element with attributes and children; text is only ever text, so that nothing in the data can become markup. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A table; cells of `numeric` columns are aligned right. A cell is text or an element. */
function table(head, rows, numeric = []) {
  const attributes = (place) => ({ class: numeric.includes(place) ? "n" : undefined });
  const cells = (name, row) =>
    row.map((cell, place) => element(name, { ...attributes(place), scope: name === "th" ? "col" : undefined }, cell));
  return element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...cells("th", head))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells("td", row)))),
  );
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** What a section says instead of a chart. */
function nothing(name, text) {
  const section = clear(name);
  section.append(element("p", { class: "nothing" }, text));
}

function clear(name) {
  drawn.get(name)?.destroy();
  drawn.delete(name);
  const section = document.querySelector(`[data-chart="${name}"]`);
  section.querySelectorAll(".legend, .chart, details, .nothing").forEach((old) => old.remove());
  return section;
}

/**
 * Draws a chart into its section.
 * series: [{label, values, colour, table}], of which `colour` is the name of a style variable.
 * show: how a value is written in tips and on the axis; head and rows: the table behind it.
 */
function chart(
  name,
  { type = "bar", labels, series, show, tick = show, horizontal = false, title, head, rows, tip, height },
) {
  const section = clear(name);
  const shown = series.filter((one) => one.values.some((value) => value));
  if (!shown.length) {
    section.append(element("p", { class: "nothing" }, "Nothing to show for this choice."));
    return;
  }
  const frame = element("div", { class: "chart" });
  if (height) frame.style.height = height;
  const canvas = element("canvas", { role: "img", "aria-label": title });
  frame.append(canvas);
  section.append(legend(shown), frame, numbers(name, head, rows));
  drawn.set(name, new Chart(canvas, configuration({ type, labels, shown, show, tick, horizontal, tip })));
}

function legend(shown) {
  if (shown.length < 2) return "";
  const entries = shown.map((one) => {
    const mark = element("i", { "aria-hidden": "true" });
    mark.style.setProperty("--mark", `var(${one.colour})`);
    return element("li", {}, mark, one.label);
  });
  return element("ul", { class: "legend" }, ...entries);
}

const open = new Set(["reasons"]); // sections whose numbers are shown; they stay so when a filter changes

function numbers(name, head, rows) {
  const right = head
    .map((_, place) => place)
    .filter((place) => rows.some((row) => typeof row[place] === "string" && /\d/.test(row[place]) && place > 0));
  const details = element("details", {}, element("summary", {}, "Numbers"));
  details.append(
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Numbers" }, table(head, rows, right)),
  );
  details.open = open.has(name);
  details.addEventListener("toggle", () => (details.open ? open.add(name) : open.delete(name)));
  return details;
}

function configuration({ type, labels, shown, show, tick, horizontal, tip }) {
  const quiet = colour("--quiet");
  const value = {
    stacked: true,
    beginAtZero: true,
    border: { display: false },
    grid: { color: colour("--line") },
    ticks: { color: quiet, callback: tick, maxTicksLimit: 6, precision: 0 },
  };
  const names = {
    stacked: true,
    border: { color: colour("--line") },
    grid: { display: false },
    ticks: { color: quiet, maxRotation: 0, autoSkip: !horizontal, autoSkipPadding: 8 },
  };
  return {
    type,
    data: { labels, datasets: shown.map((one) => dataset(type, one)) },
    options: {
      animation: false,
      maintainAspectRatio: false,
      indexAxis: horizontal ? "y" : "x",
      font: { family: getComputedStyle(document.body).fontFamily },
      interaction: { mode: "index", intersect: false, axis: horizontal ? "y" : "x" },
      scales: horizontal ? { x: value, y: names } : { x: names, y: value },
      plugins: { legend: { display: false }, tooltip: tooltip({ show, tip }) },
    },
  };
}

function dataset(type, one) {
  const paint = colour(one.colour);
  const common = { label: one.label, data: one.values, backgroundColor: paint };
  if (type === "line")
    return {
      ...common,
      borderColor: paint,
      borderWidth: 2,
      pointRadius: 0,
      pointHitRadius: 12,
      cubicInterpolationMode: "monotone",
      spanGaps: true,
    };
  return {
    ...common,
    borderColor: colour("--card"),
    borderWidth: 0.5,
    borderSkipped: false,
    maxBarThickness: 34,
    categoryPercentage: 0.86,
    barPercentage: 0.95,
  };
}

function tooltip({ show, tip }) {
  return {
    backgroundColor: colour("--ink"),
    titleColor: colour("--card"),
    bodyColor: colour("--card"),
    footerColor: colour("--card"),
    padding: 10,
    boxPadding: 4,
    filter: (item) => item.raw,
    callbacks: {
      title: (items) => (tip && items.length ? tip(items[0].dataIndex) : items[0]?.label),
      label: (item) => `${item.dataset.label}: ${show(item.raw)}`,
    },
  };
}
