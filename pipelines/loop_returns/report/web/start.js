// Everything is declared: what is chosen first, what a change leads to, and the charts.

if (page.charts) {
  field("basis").options[1].disabled = !tables.daily.some((row) => row.basis === "ordered"); // no notices were read
  let due = false;
  const later = () => {
    if (!due) queueMicrotask(() => { due = false; refresh(); });
    due = true;
  };
  offer();
  field("shop").addEventListener("change", offer);
  for (const name of [...Object.keys(FILTERS), "from", "to"]) field(name).addEventListener("change", later);
  for (const button of document.querySelectorAll(".starts button"))
    button.addEventListener("click", () => {
      choose("from", button.value);
      choose("to", field("to").max);
    });
  for (const place of document.querySelectorAll("[data-table]")) {
    if (place.dataset.table in TABLES || !place.querySelector("td")) continue;
    const text = () => [...place.querySelectorAll("tr")].map((row) => line([...row.cells].map((cell) => cell.innerText.trim()))).join("");
    place.append(element("p", { className: "under" }, saving(place, text)));
  }
  refresh();
}
const views = Promise.all(Object.entries(page.charts ?? {}).map(([name, chart]) => draw(name, chart)))
  .then((drawn) => drawn.filter(Boolean));
