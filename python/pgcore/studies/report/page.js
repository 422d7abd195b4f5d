"use strict";
// A heading sorts its table: up, then down. What is not known stays at the end.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [row.cells[column].dataset.v, row]);
    const known = rows.filter(([value]) => value !== "");
    const numbers = known.every(([value]) => !Number.isNaN(toNumber(value)));
    known.sort(([a], [b]) => (down ? -1 : 1) *
      (numbers ? compare(toNumber(a), toNumber(b)) : a.localeCompare(b, "en", { numeric: true })));
    body.append(...known.map(([, row]) => row),
      ...rows.filter(([value]) => value === "").map(([, row]) => row));
  }));
}

function toNumber(text) {
  return text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text);
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

// Surfaces are drawn when they come into sight.
const drawn = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    drawn.unobserve(target);
    const { data, layout, config } = JSON.parse(document.getElementById(`${target.id}-data`).textContent);
    Plotly.newPlot(target, data, layout, config);
  }
}, { rootMargin: "200px" });
for (const place of document.querySelectorAll(".surface .wide > div")) drawn.observe(place);

// On paper everything is open.
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const part of closed) part.open = true;
});
addEventListener("afterprint", () => {
  for (const part of closed) part.open = false;
});
