// What is chosen, the tiles and the charts. Charts listen to the fields of the form by themselves.

const page = JSON.parse(document.getElementById("data").textContent);
const field = (name) => document.getElementById(name);
const DAY = 86_400_000;
const FILTERS = { shop: "shop", currency: "currency", country: "country", destination: "destination", basis: "date basis" };

/** The rows of a table as `packing.py` packs its columns. */
function unpacked(table) {
  const rows = [];
  for (const [name, { unit, numbers, words, runs }] of Object.entries(table)) {
    let at = 0, row = 0;
    const put = (value) => ((rows[row++] ??= {})[name] = value);
    if (numbers) for (const number of numbers) put(number * unit);
    else for (let run = 0; run < runs.length; run += 2)
      for (let left = runs[run + 1]; left; left--) put(words[(at += runs[run])]);
  }
  return rows;
}
const tables = Object.fromEntries(Object.entries(page.tables ?? {}).map(([name, table]) => [name, unpacked(table)]));
const lacks = (source) => Object.keys(FILTERS).filter((name) => !(name in (page.tables[source] ?? {})));

const iso = (time) => new Date(time).toISOString().slice(0, 10);
const monthsOf = (day) => +day.slice(0, 4) * 12 + +day.slice(5, 7) - 1;
const monthAt = (count) => `${Math.floor(count / 12)}-${String((count % 12) + 1).padStart(2, "0")}-01`;

/** First and last of the chosen days (or months) and of as many before; nothing before where the data do not go so far. */
function periods(unit) {
  const [from, to] = ["from", "to"].map((name) => field(name).value);
  if (unit === "month") {
    const [first, last] = [monthsOf(from), monthsOf(to)];
    const before = [monthAt(2 * first - last - 1), monthAt(first - 1)];
    return { now: [monthAt(first), monthAt(last)], before: before[0] >= page.first ? before : null };
  }
  const before = [iso(2 * Date.parse(from) - Date.parse(to) - DAY), iso(Date.parse(from) - DAY)];
  return { now: [from, to], before: before[0] >= page.first ? before : null };
}

/** The rows of a table that belong to what is chosen, in a range of its days; `instead` is what to take for a filter. */
function chosenRows(source, unit, range, instead = {}) {
  const wanted = Object.keys(FILTERS).map((name) => [name, instead[name] ?? field(name).value])
    .filter(([name, value]) => value && name in page.tables[source]);
  return tables[source].filter((row) =>
    wanted.every(([name, value]) => row[name] === value) && (!range || (row[unit] >= range[0] && row[unit] <= range[1])));
}

/** Sums of all numbers, by the values of some columns: a map from those values to the sums. With an unknown one nothing is known. */
function sums(rows, by) {
  const found = new Map();
  for (const row of rows) {
    const key = by.map((name) => row[name]).join("\u0000");
    let sum = found.get(key);
    if (!sum) found.set(key, (sum = { ...row }));
    else for (const name in row) {
      if (typeof row[name] === "number" && sum[name] !== null) sum[name] += row[name];
      else if (row[name] === null && typeof sum[name] === "number") sum[name] = null;
    }
  }
  return found;
}

const grouped = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const percent = (part, whole) => (whole > 0 ? part / whole : null);
const show = {
  text: (value) => value ?? "–",
  day: (value) => value ?? "–",
  month: (value) => new Date(value).toLocaleDateString("en-GB", { month: "short", year: "numeric", timeZone: "UTC" }),
  count: (value) => value.toLocaleString("en-US"),
  money: (value) => grouped.format(String(value / page.scale)),
  share: (value) => `${(100 * value).toFixed(1)} %`,
  mean: (value) => (value / page.scale).toFixed(1),
  change: (value) => `${value < 0 ? "−" : "+"}${Math.abs(Math.round(100 * value))} %`,
};
const shown = (kind, value) => (value === null || value === undefined || Number.isNaN(value) ? "–" : show[kind](value));

function choose(name, value) {
  field(name).value = value;
  field(name).dispatchEvent(new Event("change"));
}

/** The tiles: each is a sum or a quotient of sums, beside that of as many days before. */
function fillTiles() {
  for (const tile of document.querySelectorAll("[data-measure]")) {
    const { source = "daily", measure, kind, by, of, unit = "day" } = tile.dataset;
    const { now, before } = periods(unit);
    const [chosen, earlier] = [now, before].map((range) => range && sums(chosenRows(source, unit, range), []).get(""));
    const value = (sum) => (!sum ? null : by ? (sum[by] ? sum[measure] / sum[by] : null) : sum[measure]);
    const text = shown(kind, value(chosen));
    tile.querySelector(".value").textContent = text;
    if (tile.dataset.needs && !tables[source].length) tile.querySelector(".note").textContent = tile.dataset.needs;
    tile.style.setProperty("--letters", Math.max(text.length, 8)); // large sums are written smaller, so that they fit
    if (of) tile.querySelector(".share").textContent =
      chosen?.[of] > 0 ? `${show.share(chosen[measure] / chosen[of])} of ${of === "refunded" ? "the refunds chosen" : "the returned value"}` : "";
    const [new_, old] = [value(chosen), value(earlier)];
    const change = kind === "count" || kind === "money" ? percent(new_ - old, old) : null;
    tile.querySelector(".change").textContent = new_ === null || old === null ? ""
      : `${change === null ? "" : `${show.change(change)} on `}${shown(kind, old)}${change === null ? " before" : ""}`;
  }
  for (const one of document.querySelectorAll(".currency")) one.textContent = field("currency").value;
}

/** Says of each card why it has nothing, and which of the filters it does not follow. */
function fillScopes() {
  const words = { shop: "all shops", currency: "all currencies", country: "all countries", destination: "all destinations" };
  for (const card of document.querySelectorAll(".card[data-source]")) {
    const { source, empty = "Nothing is known of this yet." } = card.dataset;
    const known = tables[source].some((row) => !field("shop").value || !row.shop || row.shop === field("shop").value);
    card.classList.toggle("none", !known);
    const ignored = lacks(source);
    const all = Object.keys(words).filter((name) => ignored.includes(name) && field(name).value && field(name).options.length > 1);
    const said = all.length ? [`Counts ${all.map((name) => words[name]).join(", ").replace(/, (?=[^,]*$)/, " and ")}.`] : [];
    if (ignored.includes("basis") && field("basis").value === "ordered" && card.dataset.days !== "none") said.push("By the day of the return.");
    card.querySelector(".scope").textContent = known ? said.join(" ") : empty;
  }
}

/** Offers what the chosen shop has; what it lacks is no longer chosen. */
function offer() {
  const shop = field("shop").value;
  for (const [what, all] of Object.entries(page.choices)) {
    const own = all[shop] ?? [], select = field(what), was = select.value;
    const values = what === "currency" ? own : ["", ...own];
    select.replaceChildren(...values.map((value) => new Option(value ? label(what, value) : "All", value)));
    select.closest("label").hidden = what !== "currency" && own.length < 2;
    choose(what, values.includes(was) ? was : values[0] ?? "");
  }
}
const regions = new Intl.DisplayNames("en", { type: "region", fallback: "code" });
function label(what, value) {
  if (value === "(none)") return "not known";
  if (value === "(other)") return "all others";
  if (what === "country") return /^[A-Z]{2}$/.test(value) ? regions.of(value) : value;
  const named = what === "destination" && tables.destinations?.find((row) => row.destination_id === value)?.name;
  return named ? `${named} (${value})` : value;
}

async function draw(name, chart) {
  const source = chart.data.name;
  if (!tables[source].length) return null; // its card says why
  const datasets = { [source]: tables[source].map((row) => ({ ...row })) };
  // without eval, which the page forbids; only errors are logged, as a choice without rows is none
  const options = { actions: false, renderer: "svg", ast: true, defaultStyle: false, logLevel: 1 };
  return (await vegaEmbed(field(name), { ...chart, datasets }, options)).view;
}

function refresh() {
  fillTiles();
  fillScopes();
  fillTables();
}
