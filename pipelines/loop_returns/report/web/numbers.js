// Reads the embedded data, adds up the rows that the filters leave, and writes numbers down.
// Amounts are whole ten-thousandths and days whole hundredths, so that sums are exact.

const data = JSON.parse(document.getElementById("data").textContent);
const words = data.words;
const tables = Object.fromEntries(Object.entries(data.tables).map(([name, table]) => [name, decoded(table)]));

function decoded({ columns, rows }) {
  return rows.map((row) => Object.fromEntries(columns.map((column, place) => [column, row[place]])));
}

/** The rows of a table that belong to the chosen shop and currency and, where they have a day that counts, the dates. */
function picked(name, state, { dated = true } = {}) {
  return tables[name].filter(
    (row) =>
      (state.shop === null || row.shop === state.shop) &&
      (state.currency === undefined || row.currency === undefined || row.currency === state.currency) &&
      (!dated || (row.day >= state.from && row.day <= state.to)),
  );
}

/** The sum of a column. */
function total(rows, column) {
  let sum = 0;
  for (const row of rows) sum += row[column];
  return sum;
}

/** Rows by the value of `key(row)`, in the order of the first row of each. */
function grouped(rows, key) {
  const groups = new Map();
  for (const row of rows) {
    const at = key(row);
    if (!groups.has(at)) groups.set(at, []);
    groups.get(at).push(row);
  }
  return groups;
}

/** The groups with the largest sums of a column, as [key, rows, sum]. */
function ranked(rows, key, column) {
  return [...grouped(rows, key)].map(([at, found]) => [at, found, total(found, column)]).sort((a, b) => b[2] - a[2]);
}

// Days are numbers: days since 1970-01-01, which was a Thursday.

const utc = { timeZone: "UTC" };
const dateOf = (day) => new Date(day * 86400000);
const isoOf = (day) => dateOf(day).toISOString().slice(0, 10);
const dayOf = (iso) => (/^\d{4}-\d\d-\d\d$/.test(iso) ? Math.floor(Date.parse(iso) / 86400000) : null);
const inFull = (day) => dateOf(day).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", ...utc });
const inShort = (day) => dateOf(day).toLocaleDateString("en-GB", { day: "numeric", month: "short", ...utc });
const monthOf = (day) => dateOf(day).toLocaleDateString("en-GB", { month: "short", year: "numeric", ...utc });

const starts = {
  day: (day) => day,
  week: (day) => day - ((day + 3) % 7), // its Monday
  month: (day) => dayOf(`${isoOf(day).slice(0, 7)}-01`),
};

/** Days, weeks or months from one day to another: so many that a chart stays readable. */
function calendar(from, to) {
  const unit = to - from < 35 ? "day" : to - from < 740 ? "week" : "month";
  const start = starts[unit];
  const list = [];
  for (let day = from; day <= to; day++) if (list.at(-1) !== start(day)) list.push(start(day));
  return { unit, start, list, label: unit === "month" ? monthOf : inShort };
}

const count = (number) => number.toLocaleString("en-US");
const share = (part, whole) => (whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "–");
const meanDays = (sum, known) => (known > 0 ? `${(sum / 100 / known).toFixed(1)}` : "–");
const codeOf = (currency) => (currency === null ? "no currency" : words.currency[currency]);

/** An amount in ten-thousandths, exactly, with its currency. */
function money(amount, currency) {
  const digits = String(Math.abs(amount)).padStart(5, "0");
  const text = `${amount < 0 ? "-" : ""}${digits.slice(0, -4)}.${digits.slice(-4)}`; // a string is never rounded to binary
  const code = codeOf(currency);
  try {
    return new Intl.NumberFormat("en-US", { style: "currency", currency: code, currencyDisplay: "code" }).format(text);
  } catch {
    return `${code} ${new Intl.NumberFormat("en-US", { minimumFractionDigits: 2 }).format(text)}`; // not an ISO code
  }
}

/** The same without the currency, for under a heading that names it. */
const figure = (amount, currency) =>
  money(amount, currency)
    .replace(`${codeOf(currency)}`, "")
    .trim();

/** A moment as people read it, with the year or without. */
function moment(iso, { brief = false } = {}) {
  if (iso === null) return "never";
  const parts = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", ...utc };
  return new Date(iso).toLocaleString("en-GB", brief ? parts : { ...parts, year: "numeric", timeZoneName: "short" });
}
