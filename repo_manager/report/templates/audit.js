"use strict";
(() => {
  const said = document.getElementById("said");
  const collator = new Intl.Collator("en", { numeric: true });
  const compare = (one, other) => (typeof one === "number" ? one - other : collator.compare(one, other));
  const button = (label) => {
    const made = document.createElement("button");
    made.type = "button";
    made.append(label);
    return made;
  };

  // Copying. A file that was opened from a disk may not use the clipboard everywhere, so that there is a second way.

  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      area.className = "unseen";
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };
  for (const code of document.querySelectorAll(".fix code")) {
    const copy = button("Copy");
    copy.className = "copy";
    copy.setAttribute("aria-label", `Copy: ${code.textContent}`);
    copy.addEventListener("click", async () => {
      const done = await copied(code.textContent);
      copy.focus();
      copy.textContent = done ? "Copied" : "Select it by hand";
      copy.classList.toggle("done", done);
      said.textContent = done ? `copied: ${code.textContent}` : "the browser does not let this be copied";
      setTimeout(() => {
        copy.textContent = "Copy";
        copy.classList.remove("done");
      }, 2000);
    });
    code.after(copy);
  }

  // Sorting. Rows that are equal stay as they came.

  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort === undefined ? cell.textContent : Number(cell.dataset.sort);
  };
  const sortable = (table, sort) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const press = button("");
      press.append(...head.childNodes);
      head.append(press);
      press.addEventListener("click", () => {
        const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
        for (const other of heads) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", order);
        sort(column, order === "ascending" ? 1 : -1);
        said.textContent = `sorted by ${press.textContent}, ${order}`;
      });
    });
  };
  const sorted = (items, column, sign) =>
    items
      .map((item, place) => ({ item, place, key: key(item.row ?? item, column) }))
      .sort((one, other) => sign * compare(one.key, other.key) || one.place - other.place)
      .map(({ item }) => item);
  for (const table of document.querySelectorAll("table.sorts")) {
    const body = table.tBodies[0];
    const came = [...body.rows];
    sortable(table, (column, sign) => body.append(...sorted(came, column, sign)));
  }

  // Paper cannot be unfolded.

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const details of folded) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
    folded = [];
  });

  // Machines. Their rows are taken out, and as many are put in as a page has: thousands would make everything slow.

  const table = document.getElementById("machines-table");
  if (!table) return;
  const PAGE = 100;
  const PRINTED = 1000;
  const body = table.tBodies[0];
  const came = [...body.rows].map((row) => ({
    row,
    prospect: row.className,
    words: row.textContent.toLowerCase(),
  }));
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  const before = document.getElementById("before");
  const after = document.getElementById("after");
  const region = table.closest(".scroll");
  region.classList.remove("many");
  let rows = came;
  let fitting = came;
  let page = 0;

  const states = [...document.querySelectorAll("[data-prospect]")].map((item) => {
    const press = button("");
    press.setAttribute("aria-pressed", "false");
    press.append(...item.childNodes);
    item.append(press);
    press.addEventListener("click", () => {
      press.setAttribute("aria-pressed", String(!isPressed(press)));
      show();
    });
    return { press, prospect: item.dataset.prospect };
  });
  const isPressed = (press) => press.getAttribute("aria-pressed") === "true";

  const number = (amount) => amount.toLocaleString("en");
  const put = (first, last) => body.replaceChildren(...fitting.slice(first, last).map(({ row }) => row));
  const turn = (to) => {
    page = to;
    const first = page * PAGE;
    const last = Math.min(first + PAGE, fitting.length);
    put(first, last);
    before.disabled = page === 0;
    after.disabled = last >= fitting.length;
    const some = fitting.length ? `${number(first + 1)} to ${number(last)} of ` : "";
    const all = fitting.length < came.length ? ` that fit, ${number(came.length)} in all` : "";
    shown.textContent = `${some}${number(fitting.length)} machines${all}`;
    region.scrollTop = 0;
  };
  // No state that is pressed means all of them.
  const show = () => {
    const wanted = search.value.trim().toLowerCase();
    const pressed = new Set(states.filter(({ press }) => isPressed(press)).map(({ prospect }) => prospect));
    fitting = rows.filter((item) => (!pressed.size || pressed.has(item.prospect)) && item.words.includes(wanted));
    turn(0);
  };

  sortable(table, (column, sign) => {
    rows = sorted(came, column, sign);
    show();
  });
  search.addEventListener("input", show);
  before.addEventListener("click", () => turn(page - 1));
  after.addEventListener("click", () => turn(page + 1));
  document.getElementById("reset").addEventListener("click", () => {
    search.value = "";
    for (const { press } of states) press.setAttribute("aria-pressed", "false");
    show();
    search.focus();
  });
  const form = document.getElementById("controls");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  show();

  // On paper is all that fits, up to a number of pages that somebody would read.

  addEventListener("beforeprint", () => {
    put(0, PRINTED);
    const first = fitting.length > PRINTED ? `the first ${number(PRINTED)} of ` : "";
    const all = fitting.length < came.length ? ` that fit, ${number(came.length)} in all` : "";
    shown.textContent = `${first}${number(fitting.length)} machines${all}`;
  });
  addEventListener("afterprint", () => turn(page));
})();
