// The dashboard: follows the server and gives each event to what shows it.

import { announce, find, say } from "./elements.js";
import { Configuration, Messages, Reloads, Restarts, Upstreams, Workers } from "./lists.js";
import { Orders, token } from "./orders.js";
import { Overview } from "./overview.js";
import { Running } from "./running.js";
import { Stream } from "./stream.js";
import { duration, plural } from "./words.js";

const STATES = { serving: "good", reloading: "waits", starting: "waits", stopping: "bad" };

const overview = new Overview();
const orders = new Orders(() => {
  stream.hurry();
  if (last) workers.show(last, orders.areGiven);
});
const workers = new Workers((pid) => orders.recycle(pid));
const [upstreams, reloads, restarts, configuration] = [new Upstreams(), new Reloads(), new Restarts(), new Configuration()];
const messages = new Messages("messages", "The log has no error and no warning.");
const slow = new Messages("slow", "No request ran for long enough to be told of (--slow-log, --request-timeout).");
const running = new Running(async () => (await read("stacks"))?.workers);

let last = null;
let [state, server] = ["", null];

async function read(path) {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  try {
    const answer = await fetch(path, { headers, cache: "no-store" });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

const handlers = {
  history({ points }) {
    overview.add(points);
    overview.draw();
  },
  second(event) {
    last = event;
    overview.add([event.point]);
    overview.show(event);
    overview.draw();
    identify(event);
    orders.offer(event.orders, false);
    orders.suggest(event.reading.wanted);
    workers.show(event, orders.areGiven);
    upstreams.show(event);
    restarts.show(event);
    running.show(event);
  },
  messages: (event) => messages.add(event),
  slow: (event) => slow.add(event),
  reloads: (entries) => {
    reloads.show(entries);
    // What holds may be another since.
    configure();
  },
};

async function configure() {
  const answer = await read("configuration");
  if (answer) configuration.show(answer.options);
}

function identify({ reading }) {
  const name = reading.app || "the application of its directory";
  say(find("app"), name);
  say(find("identity"), `pid ${reading.pid}, up ${duration(reading.uptime)}, ${plural(reading.wanted, "worker")} of ${plural(reading.threads, "thread")}, on ${reading.listeners.join(", ")}`);
  say(find("version"), reading.version);
  find("state").className = `badge ${STATES[reading.state] ?? ""}`;
  say(find("state"), reading.state);
  document.title = `${name} · ${reading.state} · Tapster`;
  if (server !== null && server !== reading.pid) {
    announce(`Another server has taken over: pid ${reading.pid}.`);
  } else if (state !== "" && state !== reading.state) {
    announce(`The server is ${reading.state}.`);
  }
  [state, server] = [reading.state, reading.pid];
}

function connected(how, why) {
  const [text, kind] = { open: ["live", "good"], gone: ["reconnecting", "bad"], locked: ["locked", "waits"], refused: ["refused", "bad"] }[how];
  const before = find("connection").textContent;
  find("connection").className = `badge ${kind}`;
  say(find("connection"), text);
  const notice = find("notice");
  notice.hidden = how === "open";
  const what = { gone: `${why} What is shown is as it was; this page tries again by itself.`, locked: "The server is shown to those who have its token.", refused: why }[how];
  say(notice, what ?? "");
  if (how === "locked") orders.offer(false, true);
  if (before !== text && before !== "connecting") announce(how === "open" ? "Connected again." : what);
}

const stream = new Stream(token, {
  onEvent: (name, data) => handlers[name]?.(data),
  onState: connected,
});
stream.follow();
