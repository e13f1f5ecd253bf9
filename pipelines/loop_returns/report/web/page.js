// Draws the charts and writes the headline numbers. The charts listen to the fields of the form by themselves.

const page = JSON.parse(document.getElementById("data").textContent);
const field = (name) => document.getElementById(name);

function choose(name, value) {
  field(name).value = value;
  field(name).dispatchEvent(new Event("change"));
}

const show = {
  count: (value) => value.toLocaleString("en-US"),
  money: (value) => new Intl.NumberFormat("en-US", { minimumFractionDigits: 2 }).format(String(value / page.scale)),
  mean: (value) => (value / page.scale).toFixed(1),
};

/** Fills the tiles from the rows {period, measure, value} of the figure `headlines`. */
function headlines(rows) {
  const sums = { chosen: {}, before: {} };
  for (const { period, measure, value } of rows) sums[period][measure] = value;
  const { chosen, before } = sums;
  for (const tile of document.querySelectorAll("[data-measure]")) {
    const { measure, kind, by, of } = tile.dataset;
    const value = by ? chosen[measure] / chosen[by] : chosen[measure];
    const change = by ? NaN : Math.round((100 * (value - before[measure])) / before[measure]);
    const text = Number.isFinite(value) ? show[kind](value) : "–";
    tile.querySelector(".value").textContent = text;
    tile.style.setProperty("--letters", Math.max(text.length, 8)); // large sums are written smaller, so that they fit
    tile.querySelector(".change").textContent = Number.isFinite(change)
      ? `${change < 0 ? "−" : "+"}${Math.abs(change)} % on as many days before`
      : "";
    if (of) tile.querySelector(".share").textContent =
      chosen[of] > 0 ? `${((100 * value) / chosen[of]).toFixed(1)} % of the returned value` : "";
  }
  for (const unit of document.querySelectorAll(".currency")) unit.textContent = field("currency").value;
}

async function draw(name, chart) {
  const { columns, rows } = page.datasets[chart.data.name];
  const named = rows.map((row) => Object.fromEntries(columns.map((column, place) => [column, row[place]])));
  const datasets = { [chart.data.name]: named };
  // without eval, which the page forbids; only errors are logged, as a choice without rows is none
  const options = { actions: false, renderer: "svg", ast: true, defaultStyle: false, logLevel: 1 };
  const { view, vgSpec } = await vegaEmbed(field(name), { ...chart, datasets }, options);
  if (name === "headlines") {
    const source = vgSpec.marks[0].from.data;
    view.addDataListener(source, (_, found) => headlines(found));
    headlines(view.data(source));
  }
  return view;
}

field("shop").addEventListener("change", () => {
  const own = page.currencies[field("shop").value];
  if (own.length && !own.includes(field("currency").value)) choose("currency", own[0]);
});
for (const button of document.querySelectorAll(".starts button"))
  button.addEventListener("click", () => {
    choose("from", button.value);
    choose("to", field("to").max);
  });
const views = Promise.all(Object.entries(page.charts ?? {}).map(([name, chart]) => draw(name, chart)));
