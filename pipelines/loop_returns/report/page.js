// What each section says, and the filters.

const days = tables.daily.map((row) => row.day);
const last = Math.max(dayOf(data.made_at.slice(0, 10)), ...ends(days, Math.max));
const first = Math.min(last, ...ends(days, Math.min));
const presets = { "30 days": 30, "90 days": 90, "12 months": 365, All: last - first + 1 };
const byId = (id) => document.getElementById(id);
const state = { shop: null, currency: undefined, from: first, to: last };

function ends(list, which) {
  return list.length ? [list.reduce((a, b) => which(a, b))] : [];
}

const hasMoney = () => state.currency !== undefined;
const choose = "Amounts of several currencies are never added up. Choose one currency to see this.";

// --- the sections ---

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
    tile("returns", "Returns", count(total(rows, "returns")), change("returns"), void_ ? `and ${count(void_)} cancelled or expired` : ""),
    tile("units", "Units", count(total(rows, "units")), change("units")),
    amounts("returned", "Returned value", rows, change),
    amounts("retained", "Retained revenue", rows, change),
    amounts("refunded", "Refunded", rows, change),
    tile("close", "Days to close, on average", meanDays(total(steps, "close_days"), closed), `known for ${count(closed)} returns`),
  ];
  byId("tiles").replaceChildren(...content);
}

function tile(name, title, value, ...small) {
  const lines = [].concat(value).map((line) => element("span", { class: Array.isArray(value) && value.length > 1 ? "value many" : "value" }, line));
  return element("article", { class: "tile", "data-tile": name }, element("h3", {}, title), ...lines, ...small.filter(Boolean).map((text) => element("small", {}, text)));
}

function amounts(column, title, rows, change) {
  const found = ranked(rows, (row) => row.currency, "returns").map(([currency, own]) => [currency, total(own, column), total(own, "returned")]);
  const written = found.map(([currency, amount]) => money(amount, currency));
  const shares = column === "returned" ? "" : found.map(([, amount, whole]) => share(amount, whole)).join(" · ") + " of the returned value";
  return tile(column, title, written.length ? written : "–", written.length ? shares : "", hasMoney() ? change(column) : "");
}

function overTime() {
  const { unit, start, list, label } = calendar(state.from, state.to);
  document.querySelectorAll(".unit").forEach((one) => (one.textContent = unit));
  const tip = (place) => (unit === "day" ? inFull(list[place]) : unit === "month" ? monthOf(list[place]) : `week from ${inFull(list[place])}`);
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
  const kinds = { exchange: ["Exchange", "--c1"], credit: ["Store credit", "--c2"], refund: ["Refund", "--c3"], mixed: ["Several", "--c4"], other: ["None yet", "--c5"] };
  const series = Object.entries(kinds).map(([column, [text, paint]]) => ({ label: text, values: sum(column), colour: paint }));
  const rows = labels.map((_, place) => [tip(place), ...series.map((one) => count(one.values[place])), count(series.reduce((all, one) => all + one.values[place], 0))]);
  chart("outcomes", { labels, series, tip, show: count, title: `Bar chart: returns by ${unit} and outcome`, head: [unit, ...series.map((one) => one.label), "Returns"], rows });
}

function retained({ labels, tip, unit, sum }) {
  const [asExchange, asCredit, returned, kept, refunded] = ["as_exchange", "as_credit", "returned", "retained", "refunded"].map(sum);
  const write = (amount) => money(amount, state.currency);
  const rows = labels.map((_, place) => [tip(place), write(returned[place]), write(kept[place]), write(asExchange[place]), write(asCredit[place]), share(kept[place], returned[place]), write(refunded[place])]);
  const head = [unit, "Returned value", "Retained", "As exchange", "As store credit", "Share", "Refunded"];
  const common = { labels, tip, head, rows };
  const short = (amount) => new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 }).format(amount / 10000);
  const series = [{ label: "Exchange", values: asExchange, colour: "--c1" }, { label: "Store credit", values: asCredit, colour: "--c2" }];
  chart("retained", { ...common, series, show: write, tick: short, title: `Bar chart: retained revenue by ${unit}, in ${codeOf(state.currency)}` });
  const shares = kept.map((amount, place) => (returned[place] > 0 ? (100 * amount) / returned[place] : null));
  chart("ratio", { ...common, type: "line", series: [{ label: "Retained share", values: shares, colour: "--c1" }], show: (value) => `${value.toFixed(1)} %`, tick: (value) => `${value} %`, title: `Line chart: retained share by ${unit}` });
}

function closing() {
  const rows = picked("steps", state);
  const limits = data.closing_days;
  const labels = [`up to ${limits[0]}`, ...limits.slice(1).map((limit, place) => `${limits[place]}–${limit}`), `over ${limits.at(-1)}`];
  const values = labels.map((_, place) => total(rows, `close_${place}`));
  const mean = (text, sum, known) => `${text} ${meanDays(total(rows, sum), total(rows, known))} (${count(total(rows, known))} known)`;
  byId("closing-note").textContent = `Days on average from submitting ${mean("to delivery", "deliver_days", "delivered")}, ${mean("to the refund", "refund_days", "paid")}, ${mean("to closing", "close_days", "closed")}.`;
  const all = values.reduce((a, b) => a + b, 0);
  chart("closing", { labels, series: [{ label: "Returns", values, colour: "--c1" }], show: count, title: "Bar chart: returns by days from submitting to closing", tip: (place) => `${labels[place]} days`, head: ["Days", "Returns", "Share"], rows: labels.map((label, place) => [label, count(values[place]), share(values[place], all)]) });
}

function carriers() {
  const found = ranked(picked("carriers", state), (row) => words.carrier[row.carrier], "labels");
  const kinds = { delivered: ["Delivered", "--c1"], on_the_way: ["On their way", "--c2"], not_sent: ["Not sent yet", "--c3"], problems: ["Problem", "--bad"], void: ["Of a cancelled or expired return", "--c5"] };
  const shown = found.slice(0, 8);
  const series = Object.entries(kinds).map(([column, [label, paint]]) => ({ label, values: shown.map(([, rows]) => total(rows, column)), colour: paint }));
  const rows = found.map(([name, own, labels]) => [name, count(labels), ...Object.keys(kinds).map((column) => count(total(own, column))), meanDays(total(own, "days"), total(own, "measured"))]);
  chart("carriers", { horizontal: true, height: `${3.5 + 2.6 * shown.length}rem`, labels: shown.map(([name]) => name), series, show: count, title: "Bar chart: labels by carrier and how far the package is", head: ["Carrier", "Labels", ...series.map((one) => one.label), "Days to deliver"], rows });
}

function reasons() {
  const rows = picked("reasons", state);
  const top = ranked(rows, (row) => words.reason[row.parent], "units");
  const units = total(rows, "units");
  const pairs = ranked(rows, (row) => `${words.reason[row.parent]} › ${words.reason[row.reason]}`, "units");
  const cash = hasMoney() ? [(own) => money(total(own, "returned"), state.currency), (own) => money(total(own, "refunded"), state.currency)] : [];
  const shown = top.slice(0, 8);
  chart("reasons", { horizontal: true, height: `${2.5 + 2.4 * shown.length}rem`, labels: shown.map(([name]) => name), series: [{ label: "Units", values: shown.map(([, , sum]) => sum), colour: "--c1" }], show: count, title: "Bar chart: returned units by reason", head: ["Reason", "Units", "Share", ...(hasMoney() ? ["Returned value", "Refunded"] : [])], rows: pairs.map(([name, own, sum]) => [name, count(sum), share(sum, units), ...cash.map((write) => write(own))]) });
}

function products() {
  const found = ranked(picked("products", state).filter((row) => row.title !== null), (row) => `${row.title}|${row.sku}`, "units").slice(0, 10);
  const most = found.length ? found[0][2] : 0;
  const rows = found.map(([, own, units]) => {
    const bar = element("span", { class: "bar", "aria-hidden": "true" });
    bar.style.width = `${(100 * units) / most}%`;
    const reason = own[0].main_reason === null ? "" : words.reason[own[0].main_reason];
    return [element("div", {}, words.product[own[0].title], " ", element("small", {}, reason), bar), count(units), share(total(own, "swapped"), units), ...(hasMoney() ? [money(total(own, "returned"), state.currency)] : [])];
  });
  const list = document.querySelector("#products .list");
  if (!rows.length) list.replaceChildren(element("p", { class: "nothing" }, "Nothing to show for this choice."));
  else list.replaceChildren(element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Products" }, table(["Product, main reason", "Units", "Swapped", ...(hasMoney() ? ["Value"] : [])], rows, [1, 2, 3])));
}

const stages = { "no label": ["No label", "--c5"], "not sent": ["Not sent", "--c3"], "on its way": ["On its way", "--c2"], delivered: ["Delivered", "--c1"], problem: ["Problem", "--bad"] };

function staged(rows, keys, keyOf, column) {
  const groups = grouped(rows, (row) => `${keyOf(row)}|${words.stage[row.stage]}`);
  return Object.entries(stages).map(([stage, [label, paint]]) => ({ label, colour: paint, values: keys.map((key) => total(groups.get(`${key}|${stage}`) ?? [], column)) }));
}

function coming() {
  const rows = picked("coming", state, { dated: false });
  const today = dayOf(data.made_at.slice(0, 10));
  const horizon = today + 20;
  const keyOf = (row) => (row.day === null ? "no date" : row.overdue ? "overdue" : row.day > horizon ? "later" : row.day);
  const near = Array.from({ length: horizon - today + 1 }, (_, place) => today + place);
  const there = new Set(rows.map(keyOf));
  const keys = ["overdue", ...near, "later", "no date"].filter((key) => typeof key === "number" || there.has(key));
  const series = rows.length ? staged(rows, keys, keyOf, "units") : [];
  const places = ranked(rows, (row) => words.place[row.place], "units").map(([name, , units]) => `${name} ${count(units)}`);
  const overdue = total(rows.filter((row) => row.overdue), "units");
  byId("coming-note").textContent = `Units, by the day they are expected. ${count(total(rows, "units"))} in all, ${count(overdue)} overdue. ${places.length > 1 ? `${places.join(", ")}.` : ""}`;
  const write = (row) => (row.day === null ? "no date" : inFull(row.day) + (row.overdue ? " (overdue)" : ""));
  const byDay = [...grouped([...rows].sort((a, b) => (a.day ?? 1e9) - (b.day ?? 1e9)), (row) => `${write(row)}|${words.place[row.place]}`)];
  chart("coming", { labels: keys.map((key) => (typeof key === "number" ? inShort(key) : key)), series, show: count, title: "Bar chart: units that are still to arrive, by expected day", head: ["Expected", "Place", "Returns", "Units"], rows: byDay.map(([key, own]) => [...key.split("|"), count(total(own, "returns")), count(total(own, "units"))]) });
}

function waiting() {
  const rows = picked("waiting", state, { dated: false });
  const ages = [...new Set(rows.map((row) => words.age[row.age]))].sort();
  const series = staged(rows, ages, (row) => words.age[row.age], "returns");
  const plain = (age) => age.replace(/^0/, "").replace(/-0?/, "–");
  const review = total(rows.filter((row) => words.stage[row.state] === "review"), "returns");
  byId("waiting-note").textContent = `Returns, by days since they were submitted. ${count(total(rows, "returns"))} in all, ${count(review)} of them in review.`;
  const pairs = ages.flatMap((age) => Object.entries(stages).map(([stage, [label]]) => [age, label, rows.filter((row) => words.age[row.age] === age && words.stage[row.stage] === stage)]));
  const cash = (own) => (hasMoney() ? [money(total(own, "returned"), state.currency), money(total(own, "refund_due"), state.currency)] : []);
  chart("waiting", { labels: ages.map(plain), series, show: count, title: "Bar chart: open returns by age and by where the goods are", head: ["Age", "Goods", "Returns", "Units", ...(hasMoney() ? ["Value", "Refunds"] : [])], rows: pairs.filter(([, , own]) => own.length).map(([age, label, own]) => [plain(age), label, count(total(own, "returns")), count(total(own, "units")), ...cash(own)]) });
}

// --- the mirror itself ---

function mirror() {
  const shops = tables.freshness.filter((row) => state.shop === null || row.shop === state.shop);
  const known = shops.map((row) => row.synced_up_to).filter(Boolean).sort();
  const upTo = known.length === shops.length ? known[0] : null; // of the shop that is furthest behind
  const hours = upTo ? (Date.parse(data.made_at) - Date.parse(upTo)) / 3600000 : Infinity;
  const age = Math.floor((Date.now() - Date.parse(data.made_at)) / 86400000);
  const old = age >= 2 ? ` This page is ${age} days old.` : "";
  const line = byId("freshness");
  line.textContent = upTo ? `Says what Loop said until ${moment(upTo)}.${old}` : "Not synced yet.";
  line.classList.toggle("warn", hours > 26 || age >= 2);
  runs();
  drift();
}

function runs() {
  const good = { done: "", drift: "warn", check_failed: "warn", running: "warn" };
  const mine = picked("runs", state, { dated: false });
  const shops = new Set(mine.map((row) => row.shop)).size > 1;
  const rows = mine.filter((row) => row.place <= 12).sort((a, b) => (a.started_at < b.started_at ? 1 : -1)).slice(0, 12);
  const sum = (kinds) => count(Object.values(kinds ?? {}).reduce((a, b) => a + b, 0));
  const written = rows.map((row) => [
    ...(shops ? [words.shop[row.shop]] : []), moment(row.started_at).replace(" UTC", ""), row.command,
    element("span", { class: `state ${good[row.outcome] ?? "bad"}`, title: row.error ?? "" }, row.outcome.replace("_", " ")),
    `${count(row.seconds)} s`, sum(row.rows_new), sum(row.rows_changed),
  ]);
  const failed = (rows.find((row) => row.checks?.length)?.checks ?? []).map((check) => `${check.table}: ${check.message}`);
  const head = [...(shops ? ["Shop"] : []), "Started, UTC", "Command", "Outcome", "Took", "New rows", "Changed"];
  const problems = rows.filter((row) => row.error).slice(0, 1).map((row) => `${moment(row.started_at)}: ${row.error}`);
  const list = document.querySelector("#runs .list");
  list.replaceChildren(
    rows.length ? element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Last runs" }, table(head, written, [3, 4, 5].map((place) => place + shops))) : element("p", { class: "nothing" }, "No runs on record."),
    ...[...problems, ...failed].map((text) => element("p", { class: "note" }, text)),
  );
}

function drift() {
  const list = document.querySelector("#drift .list");
  const found = picked("runs", state, { dated: false }).filter((row) => row.command === "reconcile" && row.drift !== null && ["done", "drift"].includes(row.outcome));
  const newest = [...grouped(found.sort((a, b) => (a.started_at < b.started_at ? 1 : -1)), (row) => row.shop).values()].map(([row]) => row);
  if (!newest.length) {
    list.replaceChildren(element("p", { class: "nothing" }, "Never compared yet. Run loop-returns reconcile, every week say."));
    return;
  }
  list.replaceChildren(...newest.flatMap((row) => {
    const kinds = Object.entries(row.drift).map(([name, counts]) => [name, ...["missing", "changed", "deleted"].map((kind) => count(counts[kind] ?? 0))]);
    const differs = Object.values(row.drift).some((counts) => ["missing", "changed", "deleted"].some((kind) => counts[kind]));
    const title = element("p", {}, element("span", { class: `state ${differs ? "warn" : ""}` }, differs ? "differences, repaired" : "no differences"), ` ${newest.length > 1 ? `${words.shop[row.shop]}, ` : ""}${moment(row.started_at)}`);
    return differs ? [title, element("div", { class: "scroll" }, table(["Table", "Missing", "Changed", "Gone from Loop"], kinds, [1, 2, 3]))] : [title];
  }));
}

// --- the filters ---

function draw() {
  byId("heading-shop").textContent = state.shop === null ? "" : words.shop[state.shop];
  for (const section of [tiles, overTime, closing, carriers, reasons, products, coming, waiting, mirror]) section();
  byId("main").dataset.drawn = String(Number(byId("main").dataset.drawn ?? 0) + 1);
}

function options(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, text]) => element("option", { value }, text)));
  select.value = chosen;
}

function fillCurrencies() {
  const rows = tables.daily.filter((row) => state.shop === null || row.shop === state.shop);
  const found = ranked(rows, (row) => row.currency, "returns").map(([currency]) => currency);
  if (state.currency !== undefined && !found.includes(state.currency)) state.currency = found.length ? found[0] : undefined;
  const entries = found.map((currency) => [String(currency), codeOf(currency)]);
  options(byId("currency"), found.length > 1 ? [...entries, ["all", "All, not added up"]] : entries, state.currency === undefined ? "all" : String(state.currency));
}

function showDates() {
  byId("from").value = isoOf(state.from);
  byId("to").value = isoOf(state.to);
  for (const button of byId("presets").children) {
    const from = Math.max(first, last - presets[button.textContent] + 1);
    button.setAttribute("aria-pressed", String(state.to === last && state.from === from));
  }
}

function remember() {
  const chosen = { shop: state.shop === null ? "" : words.shop[state.shop], currency: hasMoney() ? codeOf(state.currency) : "all", from: isoOf(state.from), to: isoOf(state.to) };
  try {
    history.replaceState(null, "", `#${new URLSearchParams(chosen)}`);
  } catch {
    // some browsers refuse this for files; the address then simply stays as it is
  }
}

/** Takes over what the address says after its `#`: a page can be bookmarked as it is shown. */
function recall() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const shop = words.shop.indexOf(asked.get("shop") ?? data.shop);
  if (shop >= 0 && tables.freshness.some((row) => row.shop === shop)) state.shop = shop;
  if (new Set(tables.freshness.map((row) => row.shop)).size === 1) state.shop = tables.freshness[0].shop;
  const rows = tables.daily.filter((row) => state.shop === null || row.shop === state.shop);
  const [most] = ranked(rows, (row) => row.currency, "returns");
  const code = asked.get("currency");
  const found = words.currency.indexOf(code);
  state.currency = code === "all" ? undefined : found >= 0 ? found : most?.[0];
  const clamp = (day) => Math.min(last, Math.max(first, day));
  state.from = clamp(dayOf(asked.get("from") ?? "") ?? last - presets["12 months"] + 1);
  state.to = clamp(dayOf(asked.get("to") ?? "") ?? last);
}

function changed(change) {
  change();
  if (state.from > state.to) [state.from, state.to] = [state.to, state.from];
  fillCurrencies();
  showDates();
  remember();
  draw();
}

function listen() {
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("shop").addEventListener("change", (event) => changed(() => (state.shop = event.target.value === "all" ? null : Number(event.target.value))));
  byId("currency").addEventListener("change", (event) => changed(() => (state.currency = event.target.value === "all" ? undefined : event.target.value === "null" ? null : Number(event.target.value))));
  for (const end of ["from", "to"]) {
    byId(end).min = isoOf(first);
    byId(end).max = isoOf(last);
    byId(end).addEventListener("change", (event) => {
      const day = dayOf(event.target.value);
      if (day !== null && day >= first && day <= last) changed(() => (state[end] = day));
    });
  }
  for (const text of Object.keys(presets)) {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", () => changed(() => Object.assign(state, { from: Math.max(first, last - presets[text] + 1), to: last })));
    byId("presets").append(button);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

function begin() {
  byId("footer").append(
    element("p", {}, `Made ${moment(data.made_at)} by loop-returns ${data.version}. Days are UTC. Returns submitted since ${inFull(data.since)} are in this page.`),
    element("p", {}, "The numbers are those of the views rpt_returns_daily, fct_returns, fct_return_lines, fct_return_shipments, rpt_product_returns, rpt_inbound_forecast, rpt_return_aging and rpt_sync_freshness, where they can also be had by the day of the order."),
  );
  if (!tables.daily.length && !tables.freshness.some((row) => row.returns)) {
    byId("empty").hidden = false;
    byId("freshness").hidden = true;
    return;
  }
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  byId("filters").hidden = byId("main").hidden = false;
  recall();
  const shops = [...new Set(tables.freshness.map((row) => row.shop))].map((shop) => [String(shop), words.shop[shop]]);
  options(byId("shop"), shops.length > 1 ? [["all", "All"], ...shops] : shops, state.shop === null ? "all" : String(state.shop));
  listen();
  changed(() => {});
}

begin();
