// The tiles, and what developed over time: outcomes, retained revenue and its share.

function tiles() {
  const rows = picked("daily", state);
  const steps = picked("steps", state);
  const before = { ...state, from: state.from - (state.to - state.from + 1), to: state.from - 1 };
  const earlier = before.from >= Math.max(first, data.since) ? picked("daily", before) : null;
  const change = (column) => {
    const was = earlier ? total(earlier, column) : 0;
    if (!was) return "";
    const percent = Math.round((100 * (total(rows, column) - was)) / was);
    return `${percent > 0 ? "+" : percent < 0 ? "−" : "±"}${Math.abs(percent)} % on the ${count(state.to - state.from + 1)} days before`;
  };
  const void_ = total(rows, "cancelled") + total(rows, "expired");
  const closed = total(steps, "closed");
  const content = [
    tile(
      "returns",
      "Returns",
      count(total(rows, "returns")),
      change("returns"),
      void_ ? `and ${count(void_)} cancelled or expired` : "",
    ),
    tile("units", "Units", count(total(rows, "units")), change("units")),
    amounts("returned", "Returned", rows, change),
    amounts("retained", "Retained", rows, change),
    amounts("refunded", "Refunded", rows, change),
    tile(
      "close",
      "Days to close",
      meanDays(total(steps, "close_days"), closed),
      `mean of the ${count(closed)} returns for which it is known`,
    ),
  ];
  byId("tiles").replaceChildren(...content);
}

function tile(name, title, value, ...small) {
  const lines = [].concat(value).map((line) => {
    const made = element("span", { class: "value" }, line);
    made.style.setProperty("--letters", Math.max(line.length, 10)); // large sums are written smaller, so that they fit
    return made;
  });
  return element(
    "article",
    { class: "tile", "data-tile": name },
    element("h3", {}, title),
    ...lines,
    ...small.filter(Boolean).map((text) => element("small", {}, text)),
  );
}

function amounts(column, title, rows, change) {
  const found = ranked(rows, (row) => row.currency, "returns").map(([currency, own]) => [
    currency,
    total(own, column),
    total(own, "returned"),
  ]);
  const written = found.map(([currency, amount]) => (hasMoney() ? figure : money)(amount, currency));
  const shares =
    column === "returned"
      ? ""
      : found.map(([, amount, whole]) => share(amount, whole)).join(" · ") + " of the returned value";
  return tile(
    column,
    hasMoney() ? inCurrency(title) : title,
    written.length ? written : "–",
    written.length ? shares : "",
    hasMoney() ? change(column) : "",
  );
}

function overTime() {
  const { unit, start, list, label } = calendar(state.from, state.to);
  document.querySelectorAll(".unit").forEach((one) => (one.textContent = unit));
  const tip = (place) =>
    unit === "day" ? inFull(list[place]) : unit === "month" ? monthOf(list[place]) : `week from ${inFull(list[place])}`;
  const labels = list.map(label);
  const sums = (name) => {
    const groups = grouped(picked(name, state), (row) => start(row.day));
    return (column) => list.map((day) => total(groups.get(day) ?? [], column));
  };
  outcomes({ labels, tip, unit, sum: sums("steps") });
  if (!hasMoney()) {
    nothing("retained", choose);
    nothing("ratio", choose);
    return;
  }
  retained({ labels, tip, unit, sum: sums("daily") });
}

function outcomes({ labels, tip, unit, sum }) {
  const kinds = {
    exchange: ["Exchange", "--c1"],
    credit: ["Store credit", "--c2"],
    refund: ["Refund", "--c3"],
    mixed: ["Several", "--c4"],
    other: ["None yet", "--c5"],
  };
  const series = Object.entries(kinds).map(([column, [text, paint]]) => ({
    label: text,
    values: sum(column),
    colour: paint,
  }));
  const rows = labels.map((_, place) => [
    tip(place),
    ...series.map((one) => count(one.values[place])),
    count(series.reduce((all, one) => all + one.values[place], 0)),
  ]);
  chart("outcomes", {
    labels,
    series,
    tip,
    show: count,
    title: `Bar chart: returns by ${unit} and outcome`,
    head: [unit, ...series.map((one) => one.label), "Returns"],
    rows,
  });
}

function retained({ labels, tip, unit, sum }) {
  const [asExchange, asCredit, returned, kept, refunded, upsell] = [
    "as_exchange",
    "as_credit",
    "returned",
    "retained",
    "refunded",
    "upsell",
  ].map(sum);
  const write = (amount) => money(amount, state.currency);
  const plain = (amount) => figure(amount, state.currency);
  const rows = labels.map((_, place) => [
    tip(place),
    share(kept[place], returned[place]),
    ...[returned, kept, asExchange, asCredit, refunded, upsell].map((list) => plain(list[place])),
  ]);
  const head = [unit, "Share", ...priced("Returned", "Retained", "as exchange", "as store credit", "Refunded", "Upsell")];
  const common = { labels, tip, head, rows };
  const short = (amount) =>
    new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 }).format(amount / 10000);
  const series = [
    { label: "Exchange", values: asExchange, colour: "--c1" },
    { label: "Store credit", values: asCredit, colour: "--c2" },
  ];
  chart("retained", {
    ...common,
    series,
    show: write,
    tick: short,
    title: `Bar chart: retained revenue by ${unit}, in ${codeOf(state.currency)}`,
  });
  const shares = kept.map((amount, place) => (returned[place] > 0 ? (100 * amount) / returned[place] : null));
  chart("ratio", {
    ...common,
    type: "line",
    series: [{ label: "Retained share", values: shares, colour: "--c1" }],
    show: (value) => `${value.toFixed(1)} %`,
    tick: (value) => `${value} %`,
    title: `Line chart: retained share by ${unit}`,
  });
}
