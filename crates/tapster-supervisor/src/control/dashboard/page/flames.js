// A profile as a picture: who calls stands above whom it calls, as wide as the time that passed there.

import { element, find, say } from "./elements.js";
import { plural } from "./words.js";

const MOST_ROWS = 80;

function add(tree, name, micros) {
  if (!tree.below.has(name)) tree.below.set(name, { name, micros: 0, below: new Map() });
  const branch = tree.below.get(name);
  branch.micros += micros;
  return branch;
}

export function showProfile(workers) {
  const root = { name: "all", micros: 0, below: new Map() };
  let looks = 0;
  const missing = [];
  for (const { worker, text } of workers) {
    try {
      const { frames, stacks } = JSON.parse(text);
      for (const [thread, places, micros, seen] of stacks) {
        looks += seen;
        root.micros += micros;
        const names = places.map((place) => `${frames[place][0]} (${frames[place][1]}:${frames[place][2]})`);
        [...(thread ? [thread] : []), ...names].reduce((tree, name) => add(tree, name, micros), root);
      }
    } catch {
      missing.push(worker);
    }
  }
  find("profiled").hidden = false;
  const lost = missing.length ? `; nothing of ${plural(missing.length, "worker")}` : "";
  say(find("profile-summary"), looks ? `${plural(looks, "look")} at requests in ${plural(workers.length, "worker")}${lost}` : `No request ran meanwhile${lost}.`);
  const rows = [];
  place(root, 0, 0, root.micros, rows);
  find("flames").replaceChildren(...rows.slice(0, MOST_ROWS));
  find("profiled").scrollIntoView({ block: "nearest" });
}

function place(tree, depth, start, whole, rows) {
  for (const branch of [...tree.below.values()].sort((one, other) => other.micros - one.micros)) {
    const share = branch.micros / whole;
    if (share > 0.002) {
      rows[depth] ??= element("div", { class: "flame-row" });
      const title = `${branch.name}: ${Math.round(share * 1000) / 10} %, ${Math.round(branch.micros / 1000)} ms`;
      const bar = element("span", { class: "flame", title }, branch.name);
      bar.style.left = `${(start / whole) * 100}%`;
      bar.style.width = `calc(${share * 100}% - 2px)`;
      rows[depth].append(bar);
      place(branch, depth + 1, start, whole, rows);
    }
    start += branch.micros;
  }
}
