// What is chosen in the filters, and what follows from it.

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
const inCurrency = (heading) => `${heading}, ${codeOf(state.currency)}`;
/** Headings and cells of amounts; none where no currency is chosen. */
const priced = (...headings) => (hasMoney() ? headings.map(inCurrency) : []);
const amountsOf = (rows, ...columns) =>
  hasMoney() ? columns.map((column) => figure(total(rows, column), state.currency)) : [];
const choose = "Amounts of several currencies are never added up. Choose one currency to see this.";
