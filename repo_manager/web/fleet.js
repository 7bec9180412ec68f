"use strict";
(() => {
  const table = document.getElementById("fleet");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...body.rows];
  const form = document.getElementById("controls");
  const name = document.getElementById("name");
  const condition = document.getElementById("condition");
  const drifted = document.getElementById("drifted");
  const said = document.getElementById("said");
  const collator = new Intl.Collator("en", { numeric: true });

  const key = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent;

  const show = () => {
    const text = name.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = (!text || row.dataset.host.includes(text)) && (!condition.value || row.dataset.condition === condition.value);
      row.hidden = !fits;
      shown += fits;
    }
    heads.forEach((head, column) => {
      if (!head.classList.contains("package")) return;
      const hide = drifted.checked && !rows.some((row) => !row.hidden && !row.cells[column].classList.contains("same"));
      head.hidden = hide;
      for (const row of rows) row.cells[column].hidden = hide;
    });
    said.textContent = `${shown} of ${rows.length} servers are shown`;
  };

  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      rows.sort((one, other) => (down ? -1 : 1) * collator.compare(key(one, column), key(other, column)));
      body.append(...rows);
      said.textContent = `sorted by ${button.textContent.trim()}, ${down ? "descending" : "ascending"}`;
    });
  });

  for (const control of [name, condition, drifted]) control.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show));
  form.hidden = false;
  show();
})();
