// Requests that run now, the longest first, and what their threads are in.

import { Table, dedented, element, find, say } from "./elements.js";
import { duration, plural } from "./words.js";

// From then on a stack comes unasked.
const SLOW = 5;
// Between two questions that nobody asked by hand, in milliseconds.
const PAUSE = 5000;

export class Running {
  constructor(fetchStacks) {
    this.fetchStacks = fetchStacks;
    this.stacks = new Map();
    this.asked = 0;
    this.table = new Table(find("running").querySelector(".content"), "Requests that run now", [
      { label: "For", class: "number", fill: (cell, { seconds }) => {
        say(cell, duration(seconds));
        cell.classList.toggle("is-warn", seconds >= SLOW);
      } },
      { label: "Request", class: "whole", fill: (cell, item) => this.write(cell, item) },
      { label: "Worker", class: "number", text: ({ worker }) => String(worker) },
      { label: "Thread", class: "number", text: ({ thread }) => String(thread) },
    ], "No request runs at this moment.");
    find("stacks").addEventListener("click", () => this.showAll());
  }

  // The same request as a second ago: one that began at the same time, to a second.
  key({ worker, thread, method, target, began }) {
    for (const near of [began, began - 1, began + 1]) {
      const name = `${worker} ${thread} ${near} ${method} ${target}`;
      if (this.known?.has(name)) return name;
    }
    return `${worker} ${thread} ${began} ${method} ${target}`;
  }

  show({ reading }) {
    const rows = reading.running.map((one) => ({ ...one, began: Math.round(reading.time - one.seconds) }));
    rows.forEach((row) => (row.key = this.key(row)));
    this.known = new Set(rows.map(({ key }) => key));
    for (const name of this.stacks.keys()) if (!this.known.has(name)) this.stacks.delete(name);
    this.rows = rows;
    say(find("running").querySelector(".count"), rows.length ? plural(rows.length, "request") : "");
    this.table.show(rows, ({ key }) => key);
    this.lookCloser();
  }

  write(cell, { method, target, key }) {
    if (!cell.firstChild) {
      cell.append(element("span", { class: "mono" }), element("pre", { class: "stack", tabindex: "0", "aria-label": "Stack of the request" }));
    }
    const [subject, stack] = cell.children;
    say(subject, method ? `${method} ${target}` : "a request");
    const text = this.stacks.get(key) ?? "";
    stack.hidden = !text;
    say(stack, text);
  }

  async lookCloser() {
    const unknown = this.rows.some(({ seconds, key }) => seconds >= SLOW && !this.stacks.has(key));
    if (!unknown || performance.now() - this.asked < PAUSE) return;
    this.asked = performance.now();
    const workers = await this.fetchStacks();
    if (workers) this.sort(workers, ({ seconds }) => seconds >= SLOW);
  }

  async showAll() {
    const button = find("stacks");
    button.disabled = true;
    const workers = await this.fetchStacks();
    button.disabled = false;
    if (!workers) return;
    this.sort(workers, () => true);
    const all = find("all-stacks");
    say(all, workers.map(({ worker, pid, text, complete }) =>
      `worker ${worker} (pid ${pid})${complete ? "" : ", not all of it in time"}\n${text.trim()}`).join("\n\n"));
    all.hidden = false;
  }

  // Gives each request its thread's part of the text of its worker.
  sort(workers, wanted) {
    for (const row of this.rows.filter(wanted)) {
      const text = workers.find(({ worker }) => worker === row.worker)?.text ?? "";
      const subject = `, in ${row.method} ${row.target}`;
      const age = (part) => Number(/ for (\d+\.\d) s/.exec(part)?.[1] ?? 0);
      const parts = text.split("\n\nThread ").slice(1).filter((part) => part.split("\n", 1)[0].includes(subject));
      parts.sort((one, other) => Math.abs(age(one) - row.seconds) - Math.abs(age(other) - row.seconds));
      if (parts.length) this.stacks.set(row.key, dedented(parts[0].slice(parts[0].indexOf("\n") + 1)));
    }
    this.table.show(this.rows, ({ key }) => key);
  }
}
