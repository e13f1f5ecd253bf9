// How far the mirror can be trusted: freshness, runs, drift.

function mirror() {
  const shops = tables.freshness.filter((row) => state.shop === null || row.shop === state.shop);
  const known = shops
    .map((row) => row.synced_up_to)
    .filter(Boolean)
    .sort();
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
  const rows = mine
    .filter((row) => row.place <= 12)
    .sort((a, b) => (a.started_at < b.started_at ? 1 : -1))
    .slice(0, 12);
  const sum = (kinds) => count(Object.values(kinds ?? {}).reduce((a, b) => a + b, 0));
  const written = rows.map((row) => [
    ...(shops ? [words.shop[row.shop]] : []),
    moment(row.started_at, { brief: true }),
    row.command,
    element("span", { class: `state ${good[row.outcome] ?? "bad"}`, title: row.error ?? "" }, row.outcome.replace("_", " ")),
    `${count(row.seconds)} s`,
    sum(row.rows_new),
    sum(row.rows_changed),
  ]);
  const failed = (rows.find((row) => row.checks?.length)?.checks ?? []).map((check) => `${check.table}: ${check.message}`);
  const head = [...(shops ? ["Shop"] : []), "Started, UTC", "Command", "Outcome", "Took", "New rows", "Changed"];
  const problems = rows
    .filter((row) => row.error)
    .slice(0, 1)
    .map((row) => `${moment(row.started_at)}: ${row.error}`);
  const list = document.querySelector("#runs .list");
  list.replaceChildren(
    rows.length
      ? element(
          "div",
          { class: "scroll", tabindex: "0", role: "region", "aria-label": "Last runs" },
          table(
            head,
            written,
            [3, 4, 5].map((place) => place + shops),
          ),
        )
      : element("p", { class: "nothing" }, "No runs on record."),
    ...[...problems, ...failed].map((text) => element("p", { class: "note" }, text)),
  );
}

function drift() {
  const list = document.querySelector("#drift .list");
  const found = picked("runs", state, { dated: false }).filter(
    (row) => row.command === "reconcile" && row.drift !== null && ["done", "drift"].includes(row.outcome),
  );
  const newest = [
    ...grouped(
      found.sort((a, b) => (a.started_at < b.started_at ? 1 : -1)),
      (row) => row.shop,
    ).values(),
  ].map(([row]) => row);
  if (!newest.length) {
    list.replaceChildren(
      element("p", { class: "nothing" }, "Never compared yet. Run loop-returns reconcile, every week say."),
    );
    return;
  }
  list.replaceChildren(
    ...newest.flatMap((row) => {
      const kinds = Object.entries(row.drift).map(([name, counts]) => [
        name,
        ...["missing", "changed", "deleted"].map((kind) => count(counts[kind] ?? 0)),
      ]);
      const differs = Object.values(row.drift).some((counts) =>
        ["missing", "changed", "deleted"].some((kind) => counts[kind]),
      );
      const title = element(
        "p",
        {},
        element("span", { class: `state ${differs ? "warn" : ""}` }, differs ? "differences, repaired" : "no differences"),
        ` ${newest.length > 1 ? `${words.shop[row.shop]}, ` : ""}${moment(row.started_at)}`,
      );
      return differs
        ? [
            title,
            element("div", { class: "scroll" }, table(["Table", "Missing", "Changed", "Gone from Loop"], kinds, [1, 2, 3])),
          ]
        : [title];
    }),
  );
}
