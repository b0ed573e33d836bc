// What is drawn: the tiles of the present, the charts of a quarter of an hour, and the same as a table.

import { Chart, SPAN } from "./charts.js";
import { element, find, say } from "./elements.js";
import { clock, count, mebibytes, milliseconds, percent } from "./words.js";

const COLORS = 8;
// With more workers than this, lines of single ones could not be told apart.
const MOST_LINES = 8;

const rate = (number) => (number === null || number === undefined ? "–" : `${count(number)}/s`);

const TILES = [
  ["Requests", ({ point }) => [count(point.r), "/s"]],
  ["Failures (5xx)", ({ point }) => [count(point.e), "/s"], ({ point }) => point.e > 0],
  ["Median", ({ point }) => [milliseconds(point.q?.[0])]],
  ["99 % within", ({ point }) => [milliseconds(point.q?.[2])]],
  ["Waiting", ({ point }) => [count(point.w)]],
  ["Busy threads", ({ point }) => [count(point.b), ` of ${point.n}`], ({ point }) => point.n > 0 && point.b >= point.n],
  ["Memory", ({ point }) => [mebibytes(point.m)]],
  ["CPU", ({ point }) => [percent(point.c)]],
];

// A line for each worker, or one for the most and one for the least of them.
function byWorker(field) {
  return (points) => {
    const numbers = [...new Set(points.flatMap((point) => point.p.map(([worker]) => worker)))].sort((one, other) => one - other);
    const values = (point) => point.p.map((entry) => entry[field]).filter((value) => value !== null);
    if (numbers.length > MOST_LINES) {
      const extreme = (choose) => (point) => (values(point).length ? choose(...values(point)) : null);
      return [{ name: "highest", color: 1, value: extreme(Math.max) }, { name: "lowest", color: 4, value: extreme(Math.min) }];
    }
    return numbers.map((worker, place) => ({
      name: `worker ${worker}`,
      color: (place % COLORS) + 1,
      value: (point) => point.p.find((entry) => entry[0] === worker)?.[field] ?? null,
    }));
  };
}

const fixed = (...series) => () => series;

const CHARTS = [
  { title: "Throughput", format: rate, filled: true, isWide: true, series: fixed({ name: "answers", color: 1, value: ({ r }) => r }) },
  {
    title: "Errors", format: rate, least: 1,
    series: fixed({ name: "5xx", color: 3, value: ({ e }) => e }, { name: "4xx", color: 2, value: ({ f }) => f }),
  },
  {
    title: "Latency", format: milliseconds, isWide: true,
    series: fixed(
      { name: "50 %", color: 4, value: ({ q }) => q?.[0] ?? null },
      { name: "90 %", color: 1, value: ({ q }) => q?.[1] ?? null },
      { name: "99 %", color: 2, value: ({ q }) => q?.[2] ?? null },
    ),
  },
  {
    title: "Queue", format: count, least: 4,
    series: fixed({ name: "for a thread", color: 2, value: ({ w }) => w }, { name: "to be accepted", color: 5, value: ({ a }) => a }),
  },
  {
    title: "Busy threads", format: count, least: 1, filled: true, limit: ({ n }) => n,
    series: fixed({ name: "busy", color: 4, value: ({ b }) => b }),
  },
  { title: "CPU of workers", format: percent, least: 10, series: byWorker(2) },
  { title: "Memory of workers", format: mebibytes, least: 32, series: byWorker(1) },
];

const COLUMNS = [
  ["Requests", (all) => rate(mean(all, ({ r }) => r))],
  ["5xx", (all) => rate(mean(all, ({ e }) => e))],
  ["4xx", (all) => rate(mean(all, ({ f }) => f))],
  ["50 %", (all) => milliseconds(mean(all, ({ q }) => q?.[0]))],
  ["90 %", (all) => milliseconds(mean(all, ({ q }) => q?.[1]))],
  ["99 %", (all) => milliseconds(mean(all, ({ q }) => q?.[2]))],
  ["Waiting", (all) => count(most(all, ({ w }) => w))],
  ["Busy", (all) => count(most(all, ({ b }) => b))],
  ["Memory", (all) => mebibytes(most(all, ({ m }) => m))],
  ["CPU", (all) => percent(mean(all, ({ c }) => c))],
];

const given = (all, value) => all.map(value).filter((number) => number !== null && number !== undefined);
const most = (all, value) => Math.max(...given(all, value));

function mean(all, value) {
  const numbers = given(all, value);
  return numbers.length ? numbers.reduce((sum, number) => sum + number, 0) / numbers.length : null;
}

export class Overview {
  constructor() {
    this.points = [];
    this.tiles = TILES.map(([title, values, isBad]) => {
      const [value, unit] = [element("span"), element("small")];
      const tile = element("div", {}, element("dt", {}, title), element("dd", {}, value, unit));
      find("tiles").append(tile);
      return { tile, value, unit, values, isBad };
    });
    this.charts = CHARTS.map((options) => new Chart(options));
    find("charts").append(...this.charts.map((chart) => chart.figure));
    this.details = find("numbers");
    this.details.addEventListener("toggle", () => this.writeTable());
  }

  // Those of another server, or of one that this page lost for a while, go among those that there are.
  add(points) {
    const times = new Set(this.points.map(({ t }) => t));
    this.points.push(...points.filter(({ t }) => !times.has(t)));
    this.points.sort((one, other) => one.t - other.t);
    const now = this.points.length ? this.points[this.points.length - 1].t : 0;
    this.points = this.points.filter(({ t }) => t > now - SPAN);
  }

  show(event) {
    this.tiles.forEach(({ tile, value, unit, values, isBad }) => {
      const [number, rest] = values(event);
      say(value, number);
      say(unit, rest ?? "");
      tile.className = isBad?.(event) ? "bad" : "";
    });
  }

  draw() {
    if (!this.points.length) return;
    const now = this.points[this.points.length - 1].t;
    this.charts.forEach((chart) => chart.draw(this.points, now));
    this.writeTable();
  }

  writeTable() {
    if (!this.details.open) return;
    const minutes = Map.groupBy ? Map.groupBy(this.points, ({ t }) => Math.floor(t / 60)) : grouped(this.points);
    const head = ["Minute", ...COLUMNS.map(([title]) => title)].map((title, place) =>
      element("th", { scope: "col", class: place ? "number" : null }, title));
    const rows = [...minutes].reverse().map(([minute, all]) => element("tr", {},
      element("th", { scope: "row" }, clock(minute * 60).slice(-8, -3)),
      ...COLUMNS.map(([, text]) => element("td", { class: "number" }, text(all)))));
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
    this.details.querySelector(".wide").replaceChildren(table);
  }
}

function grouped(points) {
  const minutes = new Map();
  for (const point of points) {
    const minute = Math.floor(point.t / 60);
    minutes.set(minute, [...(minutes.get(minute) ?? []), point]);
  }
  return minutes;
}
