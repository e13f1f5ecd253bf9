// What is so right now, whatever days are chosen: units on their way, returns that wait.

const stages = {
  "no label": ["No label", "--c5"],
  "not sent": ["Not sent", "--c3"],
  "on its way": ["On its way", "--c2"],
  delivered: ["Delivered", "--c1"],
  problem: ["Problem", "--bad"],
};

function staged(rows, keys, keyOf, column) {
  const groups = grouped(rows, (row) => `${keyOf(row)}|${words.stage[row.stage]}`);
  return Object.entries(stages).map(([stage, [label, paint]]) => ({
    label,
    colour: paint,
    values: keys.map((key) => total(groups.get(`${key}|${stage}`) ?? [], column)),
  }));
}

function coming() {
  const rows = picked("coming", state, { dated: false });
  const today = dayOf(data.made_at.slice(0, 10));
  const horizon = Math.min(today + 20, Math.max(today + 6, ...rows.map((row) => row.day ?? 0)));
  const keyOf = (row) => (row.day === null ? "no date" : row.overdue ? "overdue" : row.day > horizon ? "later" : row.day);
  const near = Array.from({ length: horizon - today + 1 }, (_, place) => today + place);
  const there = new Set(rows.map(keyOf));
  const keys = ["overdue", ...near, "later", "no date"].filter((key) => typeof key === "number" || there.has(key));
  const series = rows.length ? staged(rows, keys, keyOf, "units") : [];
  const places = ranked(rows, (row) => words.place[row.place], "units").map(([name, , units]) => `${name} ${count(units)}`);
  const overdue = total(
    rows.filter((row) => row.overdue),
    "units",
  );
  byId("coming-note").textContent =
    `Units, by the day they are expected. ${count(total(rows, "units"))} in all, ${count(overdue)} overdue. ${places.length > 1 ? `${places.join(", ")}.` : ""}`;
  const write = (row) => (row.day === null ? "no date" : inFull(row.day) + (row.overdue ? " (overdue)" : ""));
  const byDay = [
    ...grouped(
      [...rows].sort((a, b) => (a.day ?? 1e9) - (b.day ?? 1e9)),
      (row) => `${write(row)}|${words.place[row.place]}`,
    ),
  ];
  chart("coming", {
    labels: keys.map((key) => (typeof key === "number" ? inShort(key) : key)),
    series,
    show: count,
    title: "Bar chart: units that are still to arrive, by expected day",
    head: ["Expected", "Place", "Returns", "Units"],
    rows: byDay.map(([key, own]) => [...key.split("|"), count(total(own, "returns")), count(total(own, "units"))]),
  });
}

function waiting() {
  const rows = picked("waiting", state, { dated: false });
  const ages = [...new Set(rows.map((row) => words.age[row.age]))].sort();
  const series = staged(rows, ages, (row) => words.age[row.age], "returns");
  const plain = (age) => age.replace(/^0/, "").replace(/-0?/, "–").replace(" days", "");
  const review = total(
    rows.filter((row) => words.stage[row.state] === "review"),
    "returns",
  );
  byId("waiting-note").textContent =
    `Returns, by days since they were submitted. ${count(total(rows, "returns"))} in all, ${count(review)} of them in review.`;
  const pairs = ages.flatMap((age) =>
    Object.entries(stages).map(([stage, [label]]) => [
      age,
      label,
      rows.filter((row) => words.age[row.age] === age && words.stage[row.stage] === stage),
    ]),
  );
  chart("waiting", {
    labels: ages.map(plain),
    series,
    show: count,
    title: "Bar chart: open returns by age and by where the goods are",
    tip: (place) => `${plain(ages[place])} days`,
    head: ["Days", "Goods", "Returns", "Units", ...priced("Value", "Refunds")],
    rows: pairs
      .filter(([, , own]) => own.length)
      .map(([age, label, own]) => [
        plain(age),
        label,
        count(total(own, "returns")),
        count(total(own, "units")),
        ...amountsOf(own, "returned", "refund_due"),
      ]),
  });
}
