// The filters: filled, listened to, kept in the address; and the start of it all.

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
  options(
    byId("currency"),
    found.length > 1 ? [...entries, ["all", "All, not added up"]] : entries,
    state.currency === undefined ? "all" : String(state.currency),
  );
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
  const chosen = {
    shop: state.shop === null ? "" : words.shop[state.shop],
    currency: hasMoney() ? codeOf(state.currency) : "all",
    from: isoOf(state.from),
    to: isoOf(state.to),
  };
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
  state.to = clamp(dayOf(asked.get("to") ?? "") ?? last);
  state.from = clamp(dayOf(asked.get("from") ?? "") ?? last - presets["12 months"] + 1);
  state.from = Math.min(state.from, state.to);
}

function changed(change) {
  change();
  fillCurrencies();
  showDates();
  remember();
  draw();
}

/** Sets one end of the dates; the other one moves along when it would lie on the wrong side. */
function setDay(end, day) {
  state[end] = day;
  if (state.from > state.to) state.from = state.to = day;
}

function listen() {
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("shop").addEventListener("change", (event) =>
    changed(() => (state.shop = event.target.value === "all" ? null : Number(event.target.value))),
  );
  byId("currency").addEventListener("change", (event) =>
    changed(
      () =>
        (state.currency =
          event.target.value === "all" ? undefined : event.target.value === "null" ? null : Number(event.target.value)),
    ),
  );
  for (const end of ["from", "to"]) {
    byId(end).min = isoOf(first);
    byId(end).max = isoOf(last);
    byId(end).addEventListener("change", (event) => {
      const day = dayOf(event.target.value);
      if (day !== null && day >= first && day <= last) changed(() => setDay(end, day));
    });
  }
  for (const text of Object.keys(presets)) {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", () =>
      changed(() => Object.assign(state, { from: Math.max(first, last - presets[text] + 1), to: last })),
    );
    byId("presets").append(button);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

function begin() {
  byId("footer").append(
    element(
      "p",
      {},
      `Made ${moment(data.made_at)} by loop-returns ${data.version}. Days are UTC. Returns submitted since ${inFull(data.since)} are in this page.`,
    ),
    element(
      "p",
      {},
      "The numbers are those of the views rpt_returns_daily, fct_returns, fct_return_lines, fct_return_shipments, rpt_product_returns, rpt_inbound_forecast, rpt_return_aging and rpt_sync_freshness; the first two also count by the day of the order.",
    ),
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
  options(
    byId("shop"),
    shops.length > 1 ? [["all", "All"], ...shops] : shops,
    state.shop === null ? "all" : String(state.shop),
  );
  listen();
  changed(() => {});
}

begin();
