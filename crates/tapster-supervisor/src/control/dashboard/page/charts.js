// Charts over the last quarter of an hour: paths in SVG that the browser stretches, and texts in HTML that it does not.

import { element, say } from "./elements.js";
import { clock } from "./words.js";

export const SPAN = 900;
// A server that started a moment ago fills its charts too: the shortest of these that has all there is, in seconds.
const SPANS = [60, 120, 300, SPAN];
const [WIDTH, HEIGHT] = [900, 100];
// A longer silence is a gap and not a line.
const GAP = 4;
const SVG = "http://www.w3.org/2000/svg";

function path(kind) {
  const made = document.createElementNS(SVG, "path");
  made.setAttribute("class", kind);
  return made;
}

// The next number that reads well: 1, 2, 2.5 or 5 times a power of ten.
function above(number, least) {
  const wanted = Math.max(number, least);
  const power = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= wanted * 0.999);
}

const ago = (seconds) => (seconds >= 60 ? `${Math.round(seconds / 6) / 10} min` : `${Math.round(seconds)} s`);

// One chart. `series` gives from all points what is drawn: [{name, color, value(point)}]; `limit` a line that is not reached.
export class Chart {
  constructor({ title, series, format, least = 1, limit = null, filled = false, isWide = false }) {
    Object.assign(this, { title, series, format, least, limit, filled });
    this.keys = element("span", { class: "keys" });
    this.caption = element("figcaption", {}, element("strong", {}, title), this.keys);
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("role", "img");
    const grid = path("grid");
    grid.setAttribute("d", `M0 .5H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}`);
    this.svg.append(grid);
    [this.top, this.middle] = [element("span", { class: "top-label" }), element("span", { class: "middle-label" })];
    this.cursor = element("span", { class: "cursor" });
    this.tip = element("span", { class: "tip" });
    this.plot = element("div", { class: "plot", onpointermove: (event) => this.point(event), onpointerleave: () => this.leave() },
      this.svg, this.top, this.middle);
    this.figure = element("figure", { class: isWide ? "chart broad" : "chart" }, this.caption, this.plot,
      element("div", { class: "axis", "aria-hidden": "true" }, ...this.ticks()));
    this.lines = new Map();
    this.keyed = new Map();
  }

  ticks() {
    this.axis = [1, 2 / 3, 1 / 3].map((share) => ({ share, label: element("span") }));
    return [...this.axis.map(({ label }) => label), element("span", {}, "now")];
  }

  draw(points, now) {
    this.points = points;
    this.now = now;
    const age = points.length ? now - points[0].t : 0;
    this.span = SPANS.find((span) => span >= age) ?? SPAN;
    this.axis.forEach(({ share, label }) => say(label, ago(this.span * share)));
    this.drawn = this.series(points);
    const values = this.drawn.flatMap(({ value }) => points.map(value)).filter((value) => value !== null && value !== undefined);
    const limit = this.limit && points.length ? this.limit(points[points.length - 1]) : null;
    const most = values.reduce((one, other) => Math.max(one, other), limit ?? 0);
    this.scale = above(most, this.least);
    say(this.top, this.format(this.scale));
    say(this.middle, this.format(this.scale / 2));
    for (const name of this.lines.keys()) {
      if (!this.drawn.some((one) => one.name === name)) this.forget(name);
    }
    this.drawn.forEach((one) => this.line(one));
    this.rule(limit);
    this.describe(values);
  }

  forget(name) {
    this.lines.get(name).forEach((line) => line.remove());
    this.lines.delete(name);
    this.keyed.get(name).remove();
    this.keyed.delete(name);
  }

  line({ name, color, value }) {
    if (!this.lines.has(name)) {
      const made = [...(this.filled ? [path(`area series-${color}`)] : []), path(`line series-${color}`)];
      this.svg.append(...made);
      this.lines.set(name, made);
      const key = element("span", { class: `key series-${color}` }, `${name} `, element("b"));
      this.keyed.set(name, key);
      this.keys.append(key);
    }
    const runs = this.runs(value);
    const made = this.lines.get(name);
    const line = runs.map((run) => `M${run.map(([x, y]) => `${x} ${y}`).join("L")}${run.length === 1 ? "h1" : ""}`);
    made[made.length - 1].setAttribute("d", line.join(""));
    if (this.filled) {
      const area = runs.map((run) => `M${run[0][0]} ${HEIGHT}L${run.map(([x, y]) => `${x} ${y}`).join("L")}V${HEIGHT}Z`);
      made[0].setAttribute("d", area.join(""));
    }
    const last = this.points.length ? value(this.points[this.points.length - 1]) : null;
    say(this.keyed.get(name).lastChild, this.format(last));
  }

  // Stretches without a gap, as places in the picture.
  runs(value) {
    const runs = [];
    let before = null;
    for (const point of this.points) {
      const here = value(point);
      if (here === null || here === undefined) continue;
      const x = Math.round((WIDTH - ((this.now - point.t) / this.span) * WIDTH) * 10) / 10;
      const y = Math.round((HEIGHT - (here / this.scale) * (HEIGHT - 1)) * 100) / 100;
      if (before === null || point.t - before > GAP) runs.push([]);
      runs[runs.length - 1].push([x, y]);
      before = point.t;
    }
    return runs;
  }

  rule(limit) {
    if (limit === null) return;
    if (!this.ruled) {
      this.ruled = path("limit");
      this.svg.append(this.ruled);
    }
    const y = HEIGHT - (limit / this.scale) * (HEIGHT - 1);
    this.ruled.setAttribute("d", `M0 ${y}H${WIDTH}`);
  }

  describe(values) {
    const now = this.drawn.map(({ name, value }) =>
      `${name} ${this.format(this.points.length ? value(this.points[this.points.length - 1]) : null)}`);
    const most = values.length ? `; at most ${this.format(values.reduce((one, other) => Math.max(one, other)))}` : "";
    this.svg.setAttribute("aria-label", `${this.title}, last 15 minutes. Now: ${now.join(", ")}${most}.`);
  }

  point(event) {
    const box = this.plot.getBoundingClientRect();
    const time = this.now - (1 - (event.clientX - box.left) / box.width) * this.span;
    const near = (this.points ?? []).reduce((best, one) =>
      (best === null || Math.abs(one.t - time) < Math.abs(best.t - time) ? one : best), null);
    if (near === null || Math.abs(near.t - time) > this.span / 60) return this.leave();
    const x = box.width - ((this.now - near.t) / this.span) * box.width;
    this.cursor.style.left = `${x}px`;
    const values = this.drawn.map(({ name, value }) => `${name} ${this.format(value(near))}`);
    say(this.tip, [clock(near.t), ...values].join("\n"));
    [this.tip.style.left, this.tip.style.right] = x < box.width / 2 ? [`${x + 6}px`, "auto"] : ["auto", `${box.width - x + 6}px`];
    if (!this.tip.isConnected) this.plot.append(this.cursor, this.tip);
  }

  leave() {
    this.cursor.remove();
    this.tip.remove();
  }
}
