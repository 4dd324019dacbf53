"use strict";
// Sorts and filters lists. It holds no data: what it orders stands in the page, and without it the list is complete.
(() => {
  for (const list of document.querySelectorAll("[data-list]")) enhance(list);

  function enhance(list) {
    const table = list.querySelector("table");
    const rows = [...table.tBodies[0].rows];
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, rows, headings, column));
      heading.append(button);
      if (!heading.hasAttribute("aria-sort")) heading.setAttribute("aria-sort", "none");
    });
    const controls = list.querySelector("[data-controls]");
    const show = () => filter(rows, controls);
    controls.hidden = false;
    controls.addEventListener("input", show);
    controls.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      for (const field of controls.querySelectorAll("input")) field.value = "";
      show();
    });
    show();
  }

  function sort(table, rows, headings, column) {
    const heading = headings[column];
    const numeric = heading.dataset.sort === "number";
    const first = numeric ? "descending" : "ascending";
    const other = numeric ? "ascending" : "descending";
    const direction = heading.getAttribute("aria-sort") === first ? other : first;
    for (const each of headings) each.setAttribute("aria-sort", each === heading ? direction : "none");
    const sign = direction === "ascending" ? 1 : -1;
    const key = numeric ? number : words;
    const keyed = rows.map((row) => [key(row.cells[column]), row]);
    keyed.sort(([a], [b]) => order(a, b, sign));
    table.tBodies[0].append(...keyed.map(([, row]) => row));
  }

  // What is empty comes last in either direction.
  function order(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
  }

  function number(cell) {
    return cell.dataset.value ? Number(cell.dataset.value) : null;
  }

  function words(cell) {
    return cell.textContent.trim().toLowerCase() || null;
  }

  function filter(rows, controls) {
    const wanted = controls.querySelector("[data-find]").value.toLowerCase().split(/\s+/).filter(Boolean);
    const least = controls.querySelector("[data-least]");
    const limit = least && least.value !== "" ? Number(least.value) : -Infinity;
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const high = limit === -Infinity || Number(row.cells[least.dataset.least].dataset.value) >= limit;
      row.hidden = !(high && wanted.every((word) => text.includes(word)));
      shown += row.hidden ? 0 : 1;
    }
    controls.querySelector("output").textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown`;
  }
})();
