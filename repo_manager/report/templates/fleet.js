"use strict";
(() => {
  const table = document.getElementById("fleet");
  if (!table) return;
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const columns = [...table.querySelectorAll("col")];
  const rows = [...body.rows].map((row) => ({
    row,
    host: row.cells[0].firstChild.data.trim(),
    text: row.cells[0].textContent.toLowerCase(),
    condition: row.className,
  }));
  const sentences = [...document.querySelectorAll("#words tbody tr")];
  const name = document.getElementById("name");
  const drifted = document.getElementById("drifted");
  const said = document.getElementById("said");
  const collator = new Intl.Collator("en", { numeric: true });
  const isPackage = (column) => heads[column].classList.contains("package");

  // Filters. No state that is pressed means all of them.

  const states = [...document.querySelectorAll("[data-condition]")].map((item) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.append(...item.childNodes);
    item.append(button);
    button.addEventListener("click", () => {
      press(button, !isPressed(button));
      show();
      remember();
    });
    return { button, condition: item.dataset.condition };
  });
  const isPressed = (button) => button.getAttribute("aria-pressed") === "true";
  const press = (button, on) => button.setAttribute("aria-pressed", String(on));

  const show = () => {
    const wanted = name.value.trim().toLowerCase();
    const pressed = new Set(states.filter(({ button }) => isPressed(button)).map(({ condition }) => condition));
    const shown = [];
    const hosts = new Set();
    for (const item of rows) {
      const fits = item.text.includes(wanted) && (!pressed.size || pressed.has(item.condition));
      item.row.hidden = !fits;
      if (!fits) continue;
      shown.push(item.row);
      hosts.add(item.host);
    }
    for (const sentence of sentences) sentence.hidden = !hosts.has(sentence.dataset.host);
    const left = narrow(shown);
    const packages = drifted.checked ? ` and ${left} of ${heads.filter((_, column) => isPackage(column)).length} packages` : "";
    said.textContent = `${shown.length} of ${rows.length} servers${packages} are shown`;
  };

  // Hides the columns in which no server that is shown differs, where that is wanted; returns how many are left.
  const narrow = (shown) => {
    let left = 0;
    const before = columns.length - heads.length;
    heads.forEach((head, column) => {
      if (!isPackage(column)) return;
      const hide = drifted.checked && !shown.some((row) => row.cells[column].className);
      left += !hide;
      if (head.hidden === hide) return;
      head.hidden = hide;
      columns[column + before].hidden = hide;
      for (const { row } of rows) row.cells[column].hidden = hide;
    });
    return left;
  };

  // Order. Rows that are equal stay as they came: gravest first.

  const rank = { bad: 0, off: 1, "": 2 };
  const key = (row, column) => {
    const cell = row.cells[column];
    if (isPackage(column)) return `${rank[cell.className]} ${cell.textContent}`;
    return cell.dataset.sort === undefined ? cell.textContent : Number(cell.dataset.sort);
  };
  const compare = (one, other) => (typeof one === "number" ? one - other : collator.compare(one, other));

  const sort = (column, order) => {
    const sign = order === "descending" ? -1 : 1;
    const keyed = rows.map(({ row }) => ({ row, key: key(row, column) }));
    keyed.sort((one, other) => sign * compare(one.key, other.key));
    body.append(...keyed.map(({ row }) => row));
    for (const head of heads) head.setAttribute("aria-sort", "none");
    heads[column].setAttribute("aria-sort", order);
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    // Browsers leave what is partly in sight where it is.
    button.addEventListener("focus", () => button.scrollIntoView({ block: "nearest", inline: "nearest" }));
    button.addEventListener("click", () => {
      const first = head.dataset.first ?? "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? second : first;
      sort(column, order);
      said.textContent = `sorted by ${button.textContent}, ${order}`;
      remember();
    });
  });

  // What is chosen stands behind the # of the address, so that a page that is loaded again looks the same.

  const byState = heads.findIndex((head) => head.getAttribute("aria-sort") === "ascending");
  const remember = () => {
    const chosen = new URLSearchParams();
    if (name.value.trim()) chosen.set("server", name.value.trim());
    for (const { button, condition } of states) if (isPressed(button)) chosen.append("state", condition);
    if (drifted.checked) chosen.set("drift", "1");
    const column = heads.findIndex((head) => head.getAttribute("aria-sort") !== "none");
    const order = heads[column].getAttribute("aria-sort");
    if (column !== byState || order !== "ascending") chosen.set(order, heads[column].textContent);
    history.replaceState(null, "", chosen.size ? `#${chosen}` : location.pathname + location.search);
  };
  const recall = () => {
    const chosen = new URLSearchParams(location.hash.slice(1));
    name.value = chosen.get("server") ?? "";
    drifted.checked = chosen.has("drift");
    for (const { button, condition } of states) press(button, chosen.getAll("state").includes(condition));
    for (const order of ["ascending", "descending"]) {
      const column = heads.findIndex((head) => head.textContent === chosen.get(order));
      if (column >= 0) sort(column, order);
    }
    show();
  };

  for (const control of [name, drifted]) {
    control.addEventListener("input", show);
    control.addEventListener("change", remember);
  }
  document.getElementById("reset").addEventListener("click", () => {
    name.value = "";
    drifted.checked = false;
    for (const { button } of states) press(button, false);
    sort(byState, "ascending");
    show();
    remember();
  });
  const form = document.getElementById("controls");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  recall();
})();
