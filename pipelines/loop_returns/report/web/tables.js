// The tables: what each shows, how it is sorted and cut, and its CSV.

const share = (part, whole) => ({ now }) => percent(now[part], now[whole]);
const before = (name) => ({ before }) => (before ? before[name] ?? 0 : null);
const changed = (name) => ({ now, before }) => (before ? percent((now[name] ?? 0) - (before[name] ?? 0), before[name]) : null);
const product = ({ now }) => page.names[now.shop]?.[now.product] ?? (now.product === "(none)" ? "(no product)" : now.product);
const named = ({ now }) => tables.names.find((row) => row.shop === now.shop && row.product === now.product);
const mean = (sum, of) => ({ now }) => (now[of] ? now[sum] / now[of] : null);
const rated = (name) => ({ now }) => (now.unrated < now.returns ? now[name] : null);

// columns: title, kind, and the name of a sum or a function of the sums now and before
const TABLES = {
  countries: { source: "daily", by: ["country"], unit: "day", order: 1, columns: [
    ["Country", "text", ({ now }) => label("country", now.country)], ["Returns", "count", "returns"],
    ["Before", "count", before("returns")], ["Change", "change", changed("returns")], ["Returned", "money", "returned"],
    ["Retained", "share", share("retained", "returned")]] },
  destinations: { source: "daily", by: ["destination"], unit: "day", order: 1, columns: [
    ["Destination", "text", ({ now }) => label("destination", now.destination)], ["Returns", "count", "returns"],
    ["Before", "count", before("returns")], ["Change", "change", changed("returns")], ["Returned", "money", "returned"],
    ["Retained", "share", share("retained", "returned")]] },
  products: { source: "products", by: ["shop", "product"], unit: "day", order: 1, columns: [
    ["Product", "text", product], ["Units", "count", "units"], ["Before", "count", before("units")],
    ["Change", "change", changed("units")], ["Swapped", "share", share("swapped", "units")], ["Returned", "money", "returned"],
    ["Refunded", "money", "refunded"], ["Main reason", "text", (one) => named(one)?.reason],
    ["Variant most returned", "text", (one) => {
      const found = named(one);
      return found && found.variants > 1 ? `${found.variant} (${show.share(found.variant_units / found.units)})` : "–";
    }]] },
  rates: { source: "rates", by: ["shop", "product"], unit: "month", order: 1, columns: [
    ["Product", "text", product], ["Units sold", "count", "sold"], ["Came back", "count", "returned"],
    ["So far", "share", share("returned", "sold")],
    ["Before", "share", ({ before }) => before && percent(before.returned, before.sold)],
    ["Within 30 days", "share", share("returned_30", "sold_30")], ["60 days", "share", share("returned_60", "sold_60")],
    ["90 days", "share", share("returned_90", "sold_90")], ["Of revenue", "share", share("revenue_returned", "revenue")]] },
  reasons: { source: "reasons", by: ["parent_reason", "reason"], unit: "day", order: 1, columns: [
    ["Reason", "text", ({ now }) => now.parent_reason === now.reason ? now.reason : `${now.parent_reason} › ${now.reason}`],
    ["Units", "count", "units"], ["Of all", "share", ({ now, all }) => percent(now.units, all.units)],
    ["Before", "count", before("units")], ["Change", "change", changed("units")], ["Returned", "money", "returned"],
    ["Refunded", "share", share("refunded", "returned")]] },
  refunds: { source: "refunds", by: ["status"], unit: "day", order: 1, columns: [
    ["Refund and return", "text", "status"], ["Returns", "count", "returns"], ["Before", "count", before("returns")],
    ["Chosen", "money", "chosen"], ["Paid", "money", ({ now }) => (now.paid_known ? now.paid : null)],
    ["Paid less chosen", "money", ({ now }) => (now.paid_known ? now.difference : null)]] },
  month_ends: { source: "month_ends", by: ["day"], unit: "day", where: ({ owed }) => owed !== null, order: 0, columns: [
    ["Month's end", "day", "day"], ["Open", "count", "open"], ["In review", "count", "review"],
    ["Refunds owed", "money", "refunds_owed"], ["Store credit owed", "money", "credit_owed"],
    ["Exchanges owed", "money", "exchanges_owed"], ["Owed in all", "money", "owed"]] },
  retention: { source: "retention", by: ["month"], unit: "month", order: 0, columns: [
    ["Month", "month", "month"], ["Exchanges", "count", "exchanges"], ["60 days old", "count", "settled"],
    ["Kept, of these", "share", ({ now }) => percent(now.settled - now.returned_again, now.settled)],
    ["Retained", "money", "retained"], ["Refunded later", "money", "refunded_later"], ["Left", "money", "retained_after"]] },
  group: { source: "group", by: ["shop", "own_currency"], unit: "day", order: 2, columns: [
    ["Shop", "text", "shop"], ["Own currency", "text", "own_currency"], ["Returns", "count", "returns"],
    ["Without a rate", "count", "unrated"], ["Returned", "money", rated("returned")],
    ["Retained", "money", rated("retained")], ["Upsell", "money", rated("upsell")], ["Fees", "money", rated("fees")]] },
  carriers: { source: "carriers", by: ["carrier"], unit: "day", order: 1, columns: [
    ["Carrier", "text", "carrier"], ["Labels", "count", "labels"], ["Before", "count", before("labels")],
    ["Delivered", "count", "delivered"], ["On its way", "count", "on_its_way"], ["Not sent", "count", "not_sent"],
    ["Problem", "count", "problem"], ["Void", "count", "void"], ["Unknown", "count", "unknown"],
    ["Mean days", "mean", mean("deliver_days", "measured")],
    ["Before", "mean", ({ before }) => (before?.measured ? before.deliver_days / before.measured : null)],
    ["Of labels", "count", "measured"]] },
  shipping: { source: "shipping", by: ["method"], unit: "month", order: 1, columns: [
    ["Method", "text", "method"], ["Returns", "count", "returns"], ["Labels", "count", "labels"], ["With a price", "count", "priced"],
    ["Labels cost", "money", "cost"], ["Fees", "money", "fees"], ["Net cost", "money", "net"],
    ["Net per return", "money", mean("net", "returns")],
    ["Before", "money", ({ before }) => (before?.returns ? before.net / before.returns : null)],
    ["Void labels", "money", "void_cost"]] },
  states: { source: "states", by: ["state"], unit: "month", order: 1, columns: [
    ["State", "text", "state"], ["Stays", "count", "stays"], ["Now", "count", "current"],
    ["Days", "mean", mean("days", "measured")],
    ["Before", "mean", ({ before }) => (before?.measured ? before.days / before.measured : null)],
    ["Measured", "count", "measured"], ["Reopened", "share", share("reopened", "stays")]] },
  mismatches: { source: "mismatches", by: ["mismatch"], order: 1, columns: [
    ["What differs", "text", "mismatch"], ["Found", "count", "found"], ["Of one moment", "count", "same_moment"],
    ["Returns", "count", "returns"]] },
  cases: { rows: () => cases(), order: 3, limit: 20, columns: [
    ["Why", "text", "why"], ["Return", "text", "return_id"], ["State", "text", "state"], ["Refund chosen, ¤", "money", "chosen"],
    ["Submitted", "day", "day"], ["Shop", "text", "shop"]] },
  attention: { rows: () => attention(), order: null, limit: 20, columns: [
    ["How many", "count", "count"], ["What", "text", "what"], ["Amount, ¤", "money", "amount"], ["What to do", "text", "cure"]] },
};

const state = Object.fromEntries(Object.keys(TABLES).map((name) => [name, { order: TABLES[name].order, down: true, all: false }]));

const nothingOf = (sum) =>
  Object.fromEntries(Object.entries(sum).map(([name, value]) => [name, typeof value === "number" ? 0 : value]));

/** The rows of a table, each a list of values, in the order that is chosen. */
function valuesOf(name) {
  const { source, by, unit, columns, rows, where = () => true } = TABLES[name];
  const { now, before } = unit ? periods(unit) : { now: null, before: null };
  const found = rows ? null : sums(chosenRows(source, unit, now), by);
  const earlier = before ? sums(chosenRows(source, unit, before), by) : null;
  if (earlier && !by.includes(unit)) // what there was before and is no more
    for (const [key, sum] of earlier) if (!found.has(key)) found.set(key, nothingOf(sum));
  const chosen = rows ? rows().map((row) => ["", row]) : [...found].filter(([, sum]) => where(sum));
  const all = rows ? {} : sums(chosen.map(([, sum]) => sum), []).get("") ?? {};
  const values = chosen.map(([key, sum]) => columns.map(([, , of]) =>
    typeof of === "string" ? sum[of] : of({ now: sum, before: earlier && (earlier.get(key) ?? {}), all })));
  const { order, down } = state[name];
  const text = order !== null && ["text", "day", "month"].includes(columns[order][1]);
  if (order !== null) values.sort(({ [order]: a }, { [order]: b }) => (down ? -1 : 1) *
    (text ? String(a ?? "").localeCompare(String(b ?? "")) : (a ?? -Infinity) - (b ?? -Infinity) || 0));
  return values;
}

const element = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
const titled = (title) => title.replace("¤", field("currency").value);
const isNumber = (kind) => !["text", "day", "month"].includes(kind);

const saving = (place, text) => element("button", { type: "button", className: "link save", textContent: "CSV",
  ariaLabel: `${place.ariaLabel}: download as CSV`, onclick: () => download(place.dataset.table, text()) });

function fillTable(place) {
  const name = place.dataset.table, { columns, limit = 10 } = TABLES[name], now = state[name];
  const values = valuesOf(name), cut = now.all ? values : values.slice(0, limit);
  const focused = place.contains(document.activeElement) ? document.activeElement.textContent : null;
  const head = columns.map(([title, kind], at) => {
    const sorts = now.order === at ? (now.down ? "descending" : "ascending") : "none";
    const button = element("button", { type: "button", textContent: titled(title), onclick: () => {
      Object.assign(now, { down: now.order === at ? !now.down : isNumber(kind), order: at });
      fillTable(place);
    } });
    return element("th", { scope: "col", className: isNumber(kind) ? "n" : "", ariaSort: sorts }, title ? button : "");
  });
  const body = cut.map((row) => element("tr", {}, ...row.map((value, at) => {
    const [title, kind] = columns[at], negative = kind === "money" && value < 0;
    return element("td", { className: `${isNumber(kind) ? "n" : ""}${negative ? " below" : ""}`, textContent: shown(kind, value), title: kind === "text" && String(value ?? "").length > 40 ? value : "" });
  })));
  const scroll = element("div", { className: now.all ? "scroll tall" : "scroll", tabIndex: 0, role: "region", ariaLabel: place.ariaLabel },
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)));
  const more = values.length > limit ? [element("button", {
    type: "button", className: "link more", textContent: now.all ? `Show the first ${limit}` : `Show all ${values.length}`,
    onclick: () => { now.all = !now.all; fillTable(place); } })] : [];
  const count = values.length > cut.length ? `${cut.length} of ${values.length} rows.` : "";
  const save = saving(place, () => csv(name, values));
  place.replaceChildren(...(values.length ? [scroll, element("p", { className: "under" }, count, ...more, save)]
    : [element("p", { className: "note", textContent: place.dataset.nothing ?? "Nothing to show for this choice." })]));
  if (focused) [...place.querySelectorAll("button")].find((one) => one.textContent === focused)?.focus();
}
function fillTables() {
  [...document.querySelectorAll("[data-table]")].filter((place) => place.dataset.table in TABLES).forEach(fillTable);
  const others = (page.choices.currency[field("shop").value] ?? []).filter((one) => one !== field("currency").value && attention(one).length);
  field("elsewhere").textContent = others.length ? `There is more in ${others.join(", ")}: choose the currency above.` : "";
}

/** A table as CSV: numbers in full and without separators; a text that a spreadsheet would take for a formula is quoted. */
function csv(name, values) {
  const { columns, source } = TABLES[name], has = !source || "currency" in page.tables[source];
  const plain = (kind, value) => value === null || value === undefined || Number.isNaN(value) ? ""
    : kind === "money" ? (value / page.scale).toFixed(value % 100 ? 4 : 2) : kind === "mean" ? (value / page.scale).toFixed(2)
    : kind === "share" || kind === "change" ? value.toFixed(4) : kind === "count" ? String(value)
    : String(value).replace(/^[=+\-@\t\r]/, "'$&");
  const head = ([title, kind]) => titled(kind !== "money" || /¤/.test(title) || !has ? title : `${title}, ¤`);
  return [columns.map(head), ...values.map((row) => row.map((value, at) => plain(columns[at][1], value)))]
    .map(line).join("");
}
const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const line = (row) => row.map(cell).join(",") + "\r\n";
function download(name, text) {
  const address = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
  element("a", { href: address, download: `${name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

const REFUNDS = {
  "closed without pay": "pay, or note why not: nothing tells that the refund was made",
  "paid and never received": "ask the shopper or the carrier where the goods are",
  "paid though cancelled or expired": "check why money went back",
  "paid twice": "ask the shopper for the second refund",
  "differs": "compare what was paid with what was chosen",
  "paid though none was chosen": "check why money went back",
  "more than one refund": "compare the amounts; they may be right",
  "paid without closing": "close them at Loop",
};

/** The returns behind that, as far as they are in the page. */
const cases = () => [
  ...chosenRows("refunds", null, null).filter((row) => row.return_id).map((row) => ({ ...row, why: `Refunds: ${row.status}` })),
  ...chosenRows("problems", null, null).filter((row) => row.return_id).map((row) => ({ ...row, why: "Packages with a problem" })),
];

/** What somebody should look at today, of the chosen shop and of a currency. */
function attention(currency = field("currency").value) {
  const found = [];
  const total = (source, test) => sums(chosenRows(source, null, null, { currency, country: "" }).filter(test), []).get("");
  const add = (what, count, amount, cure) => count && found.push({ what, count, amount, cure });
  for (const [status, cure] of Object.entries(REFUNDS)) {
    const sum = total("refunds", (row) => row.status === status);
    add(`Refunds: ${status}`, sum?.returns, sum?.chosen, cure);
  }
  const problems = total("problems", () => true);
  add("Packages with a problem", problems?.labels, null, "ask the carrier; the shopper may need a new label");
  const overdue = total("coming", (row) => row.overdue);
  add("Units overdue at the warehouse", overdue?.units, overdue?.returned, "remind the shopper, or trace the package");
  const unprocessed = total("waiting", (row) => row.stage === "delivered" && row.age > "08");
  add("Returns delivered, open for more than a week", unprocessed?.returns, unprocessed?.returned, "inspect and process them");
  const review = total("waiting", (row) => row.state === "review" && row.age > "08");
  add("Returns in review for more than a week", review?.returns, review?.returned, "decide; shoppers wait for it");
  const stock = total("stock", () => true);
  add("Exchange items out of stock", stock?.units, stock?.amount, "offer something else, or the money");
  const differing = total("mismatches", (row) => row.same_moment);
  add("Contradictions between returns and notices", differing?.same_moment, null, "see Freshness below; ask Loop");
  return found;
}
