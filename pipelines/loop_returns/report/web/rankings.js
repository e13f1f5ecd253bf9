// How returns of the chosen days are spread: days to close, carriers, reasons, products.

function closing() {
  const rows = picked("steps", state);
  const limits = data.closing_days;
  const labels = [
    `≤ ${limits[0]}`,
    ...limits.slice(1).map((limit, place) => `${limits[place]}–${limit}`),
    `> ${limits.at(-1)}`,
  ];
  const values = labels.map((_, place) => total(rows, `close_${place}`));
  const mean = (text, sum, known) =>
    `${text} ${meanDays(total(rows, sum), total(rows, known))} (${count(total(rows, known))} known)`;
  byId("closing-note").textContent =
    `Days on average from submitting ${mean("to delivery", "deliver_days", "delivered")}, ${mean("to the refund", "refund_days", "paid")}, ${mean("to closing", "close_days", "closed")}.`;
  const all = values.reduce((a, b) => a + b, 0);
  chart("closing", {
    labels,
    series: [{ label: "Returns", values, colour: "--c1" }],
    show: count,
    title: "Bar chart: returns by days from submitting to closing",
    tip: (place) => `${labels[place]} days`,
    head: ["Days", "Returns", "Share"],
    rows: labels.map((label, place) => [label, count(values[place]), share(values[place], all)]),
  });
}

function carriers() {
  const found = ranked(picked("carriers", state), (row) => words.carrier[row.carrier], "labels");
  const kinds = {
    delivered: ["Delivered", "--c1"],
    on_the_way: ["On their way", "--c2"],
    not_sent: ["Not sent yet", "--c3"],
    problems: ["Problem", "--bad"],
    void: ["Cancelled or expired", "--c5"],
  };
  const shown = found.slice(0, 8);
  const series = Object.entries(kinds).map(([column, [label, paint]]) => ({
    label,
    values: shown.map(([, rows]) => total(rows, column)),
    colour: paint,
  }));
  const rows = found.map(([name, own, labels]) => [
    name,
    count(labels),
    ...Object.keys(kinds).map((column) => count(total(own, column))),
    meanDays(total(own, "days"), total(own, "measured")),
  ]);
  chart("carriers", {
    horizontal: true,
    height: `${3.5 + 2.6 * shown.length}rem`,
    labels: shown.map(([name]) => name),
    series,
    show: count,
    title: "Bar chart: labels by carrier and how far the package is",
    head: ["Carrier", "Labels", ...series.map((one) => one.label), "Days to deliver"],
    rows,
  });
}

function reasons() {
  const rows = picked("reasons", state);
  const top = ranked(rows, (row) => words.reason[row.parent], "units");
  const units = total(rows, "units");
  const pairs = ranked(rows, (row) => `${words.reason[row.parent]} › ${words.reason[row.reason]}`, "units");
  const shown = top.slice(0, 8);
  chart("reasons", {
    horizontal: true,
    height: `${2.5 + 2.4 * shown.length}rem`,
    labels: shown.map(([name]) => name),
    series: [{ label: "Units", values: shown.map(([, , sum]) => sum), colour: "--c1" }],
    show: count,
    title: "Bar chart: returned units by reason",
    head: ["Reason", "Units", "Share", ...priced("Returned", "Refunded")],
    rows: pairs.map(([name, own, sum]) => [name, count(sum), share(sum, units), ...amountsOf(own, "returned", "refunded")]),
  });
}

function products() {
  document.querySelector("#products .note").textContent =
    `Units, of products that were among the ${data.top_products} most returned of some month. The main reason is that of the product’s whole history.`;
  const about = grouped(tables.catalogue, (row) => `${row.shop}|${row.product}`);
  const found = ranked(picked("products", state), (row) => `${row.shop}|${row.product}`, "units").slice(0, 10);
  const most = found.length ? found[0][2] : 0;
  const rows = found.map(([key, own, units]) => {
    const [{ title, main_reason }] = about.get(key);
    const bar = element("span", { class: "bar", "aria-hidden": "true" });
    bar.style.width = `${(100 * units) / most}%`;
    const reason = main_reason === null ? "" : words.reason[main_reason];
    return [
      element("div", {}, words.title[title], element("small", {}, reason), bar),
      count(units),
      share(total(own, "swapped"), units),
      ...amountsOf(own, "returned"),
    ];
  });
  const list = document.querySelector("#products .list");
  if (!rows.length) list.replaceChildren(element("p", { class: "nothing" }, "Nothing to show for this choice."));
  else
    list.replaceChildren(
      element(
        "div",
        { class: "scroll whole", tabindex: "0", role: "region", "aria-label": "Products" },
        table(["Product, main reason", "Units", "Swapped", ...priced("Value")], rows, [1, 2, 3]),
      ),
    );
}
