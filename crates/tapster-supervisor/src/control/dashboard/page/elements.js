// Elements, made without markup: no text of the server is ever read as HTML.

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const find = (id) => document.getElementById(id);

// Writes only what differs, so that selections and screen readers are left alone.
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

// Text without the indentation that all of its lines have.
export function dedented(text) {
  const lines = text.trimEnd().split("\n");
  const indent = Math.min(...lines.filter((line) => line.trim()).map((line) => line.length - line.trimStart().length));
  return lines.map((line) => line.slice(Number.isFinite(indent) ? indent : 0)).join("\n");
}

// What a screen reader says in between: changes of state, and nothing that happens every second.
export function announce(text) {
  say(find("announcement"), text);
}

// A table whose rows keep their elements as long as their keys are there. A column is {label, class, text} or {label, class, fill}.
export class Table {
  constructor(place, caption, columns, empty) {
    this.place = place;
    this.columns = columns;
    this.rows = new Map();
    const head = columns.map(({ label, class: kind }) =>
      element("th", { role: "columnheader", scope: "col", class: kind === "number" ? "number" : null }, label));
    this.body = element("tbody", { role: "rowgroup" });
    this.table = element("table", { class: "cards", role: "table" },
      element("caption", { class: "hidden-text" }, caption),
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...head)), this.body);
    this.empty = element("p", { class: "empty" }, empty);
    place.replaceChildren(this.empty, this.table);
    this.show([], () => "");
  }

  show(items, key) {
    this.table.hidden = items.length === 0;
    this.empty.hidden = items.length > 0;
    const before = this.rows;
    this.rows = new Map();
    let next = this.body.firstChild;
    for (const item of items) {
      const name = String(key(item));
      const row = before.get(name) ?? this.row();
      before.delete(name);
      this.rows.set(name, row);
      this.fill(row, item);
      if (row === next) next = next.nextSibling;
      else this.body.insertBefore(row, next);
    }
    for (const row of before.values()) row.remove();
  }

  row() {
    const cells = this.columns.map(({ label, class: kind }) =>
      element("td", { role: "cell", class: kind, "data-label": label }));
    return element("tr", { role: "row" }, ...cells);
  }

  fill(row, item) {
    this.columns.forEach((column, place) => {
      const cell = row.children[place];
      if (column.fill) column.fill(cell, item);
      else say(cell, column.text(item));
    });
  }
}
