// The tables: workers, upstreams, slow requests, messages, reloads, restarts, configuration.

import { Table, dedented, element, find, say } from "./elements.js";
import { clock, count, duration, mebibytes, percent, plural } from "./words.js";

const KEPT = { messages: 100, slow: 32 };

const content = (id) => find(id).querySelector(".content");
const counted = (id, text) => say(find(id).querySelector(".count"), text);
const STATES = { ready: "good", booting: "waits", draining: "waits", ending: "waits", waiting: "bad", failing: "bad" };

function badge(cell, text, kind) {
  if (!cell.firstChild) cell.append(element("span"));
  cell.firstChild.className = `badge ${kind ?? ""}`;
  say(cell.firstChild, text);
}

export class Workers {
  constructor(onRecycle) {
    this.table = new Table(content("workers"), "Workers", [
      { label: "Worker", text: ({ worker }) => String(worker) },
      { label: "State", fill: (cell, { state }) => badge(cell, state, STATES[state]) },
      { label: "Generation", class: "number", text: ({ generation }) => String(generation) },
      { label: "Pid", class: "number", text: ({ pid }) => String(pid ?? "–") },
      { label: "Requests/s", class: "number", text: ({ rate }) => count(rate) },
      { label: "Requests", class: "number", text: ({ requests }) => count(requests) },
      { label: "Busy", class: "number", text: ({ busy, threads }) => `${busy} of ${threads}` },
      { label: "CPU", class: "number", text: ({ percent: cpu }) => percent(cpu) },
      { label: "Memory", class: "number", text: ({ rss }) => mebibytes(rss === null ? null : rss / 1048576) },
      { label: "Age", class: "number", text: ({ age }) => duration(age) },
      { label: "Order", class: "number", fill: (cell, item) => this.button(cell, item) },
    ], "There is no worker.");
    this.onRecycle = onRecycle;
  }

  button(cell, { worker, pid, state, orders }) {
    if (!orders || state !== "ready") return cell.replaceChildren();
    if (cell.firstChild && cell.dataset.pid === String(pid)) return;
    cell.dataset.pid = String(pid);
    const label = `Recycle worker ${worker}`;
    cell.replaceChildren(element("button", { type: "button", class: "small", "aria-label": label, onclick: () => this.onRecycle(pid) }, "Recycle"));
  }

  show({ reading, sample }, orders) {
    const rows = reading.workers.map((worker) => {
      const measured = sample.workers.find((one) => one.worker === worker.worker && one.pid === worker.pid);
      return { ...worker, threads: reading.threads, rate: measured?.requests ?? 0, percent: measured?.cpu, orders };
    });
    const ready = rows.filter(({ state }) => state === "ready").length;
    counted("workers", `${ready} of ${reading.wanted} ready`);
    this.table.show(rows, ({ worker }) => worker);
  }
}

export class Upstreams {
  constructor() {
    const kinds = { healthy: "good", "slow start": "waits", unknown: "waits" };
    this.table = new Table(content("upstreams"), "Upstreams", [
      { label: "Upstream", text: ({ name }) => name },
      { label: "Group", text: ({ group }) => group ?? "" },
      { label: "State", fill: (cell, { state }) => badge(cell, state, kinds[state] ?? "bad") },
      { label: "Active", class: "number", text: ({ active }) => count(active) },
      { label: "Requests", class: "number", text: ({ requests }) => count(requests) },
      { label: "Failures", class: "number", text: ({ failures }) => count(failures) },
    ], "There is none.");
  }

  show({ reading }) {
    const hosts = reading.front?.upstreams ?? [];
    find("upstreams").hidden = hosts.length === 0;
    this.table.show(hosts, ({ group, name }) => `${group} ${name}`);
  }
}

// Messages of the log with what stands below them, the last first.
export class Messages {
  constructor(id, empty) {
    this.id = id;
    this.entries = new Map();
    const kinds = { error: "bad", warning: "waits" };
    this.table = new Table(content(id), find(`${id}-title`).firstChild.textContent.trim(), [
      { label: "Time", class: "tight", text: ({ time }) => clock(time) },
      { label: "Level", fill: (cell, { level }) => badge(cell, level, kinds[level]) },
      { label: "Process", class: "tight", text: ({ worker, pid }) => (worker ? `worker ${worker} (${pid})` : `pid ${pid}`) },
      { label: "Message", class: "whole", fill: (cell, { text }) => this.write(cell, text) },
    ], empty);
  }

  write(cell, text) {
    if (cell.firstChild) return;
    const end = text.indexOf("\n");
    const [first, rest] = end < 0 ? [text, ""] : [text.slice(0, end), text.slice(end + 1)];
    cell.append(element("span", { class: "message-text" }, first));
    if (!rest) return;
    const block = element("pre", { class: "stack", tabindex: "0", "aria-label": "Stack" }, dedented(rest));
    const summary = /^\s*(Thread|File|Traceback)/m.test(rest) ? "Stack" : "More";
    const details = element("details", {}, element("summary", {}, summary), block);
    details.open = this.id === "slow";
    cell.append(details);
  }

  add({ all, entries }) {
    if (all) this.entries.clear();
    entries.forEach((entry) => this.entries.set(entry.number, entry));
    const sorted = [...this.entries.values()].sort((one, other) => other.number - one.number).slice(0, KEPT[this.id]);
    this.entries = new Map(sorted.map((entry) => [entry.number, entry]));
    counted(this.id, sorted.length ? `the last ${sorted.length}` : "");
    this.table.show(sorted, ({ number, time }) => `${number} ${time}`);
  }
}

export class Reloads {
  constructor() {
    this.table = new Table(content("reloads"), "Reloads", [
      { label: "Ended", class: "tight", text: ({ time }) => clock(time) },
      { label: "Outcome", fill: (cell, { error }) => badge(cell, error ? "failed" : "done", error ? "bad" : "good") },
      { label: "Took", class: "number", text: ({ seconds }) => duration(seconds) },
      { label: "Why it failed", class: "whole", fill: (cell, { error }) => this.write(cell, error) },
    ], "There was no reload yet.");
  }

  write(cell, error) {
    if (cell.firstChild || !error) return;
    cell.append(element("pre", { class: "stack", tabindex: "0", "aria-label": "Why the reload failed" }, error.trim()));
  }

  show(entries) {
    counted("reloads", entries.length ? `the last ${entries.length}` : "");
    this.table.show(entries, ({ time }) => time);
  }
}

export class Restarts {
  constructor() {
    this.table = new Table(content("restarts"), "Restarts by reason", [
      { label: "Reason", text: ([reason]) => reason },
      { label: "Workers", class: "number", text: ([, times]) => count(times) },
    ], "No worker was restarted.");
  }

  show({ reading }) {
    const all = Object.entries(reading.restarts).sort(([, one], [, other]) => other - one);
    const sum = all.reduce((total, [, times]) => total + times, 0);
    counted("restarts", sum ? plural(sum, "restart") : "");
    this.table.show(all, ([reason]) => reason);
  }
}

export class Configuration {
  constructor() {
    this.options = [];
    this.table = new Table(content("configuration"), "Configuration", [
      { label: "Option", class: "tight", text: ({ name }) => name },
      { label: "Value", text: ({ value }) => value },
      { label: "From", text: ({ origin }) => origin },
    ], "No option is like that.");
    find("filter").addEventListener("input", () => this.write());
    find("defaults").addEventListener("change", () => this.write());
  }

  show(options) {
    this.options = options.map((option, number) => ({ ...option, number }));
    this.write();
  }

  write() {
    const wanted = find("filter").value.trim().toLowerCase();
    const matches = ({ name, value, origin }) => `${name} ${value} ${origin}`.toLowerCase().includes(wanted);
    const all = find("defaults").checked;
    this.table.show(this.options.filter((option) => (all || !option.default) && matches(option)), ({ number }) => number);
  }
}
