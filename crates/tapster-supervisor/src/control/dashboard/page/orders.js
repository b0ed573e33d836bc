// What may be ordered, by whoever has the token. It is kept for this tab alone, and goes with each order in a field that no
// browser sends by itself.

import { announce, find, say } from "./elements.js";
import { showProfile } from "./flames.js";

const KEY = "tapster-admin-token";

export const token = () => sessionStorage.getItem(KEY) ?? "";

function tell(text, kind = "") {
  find("outcome").className = kind;
  say(find("outcome"), text);
}

export class Orders {
  // `onChange` is called when somebody signed in or out.
  constructor(onChange) {
    this.onChange = onChange;
    this.isOffered = false;
    this.isLocked = false;
    const does = (id, event, act) => find(id).addEventListener(event, (happened) => {
      happened.preventDefault();
      act();
    });
    does("sign-in", "submit", () => this.signIn());
    does("sign-out", "click", () => this.signOut("Signed out."));
    does("reload", "click", () => this.give({ command: "reload" }, "Reloading …", ({ seconds }) => `Reloaded in ${seconds.toFixed(1)} s.`));
    does("scale", "submit", () => {
      const workers = Number(find("number").value);
      this.give({ command: "scale", workers }, "Scaling …", (answer) => `From now on ${answer.workers} workers.`);
    });
    does("profile", "submit", () => {
      const seconds = Number(find("seconds").value);
      const request = { command: "profile", seconds, rate: 100 };
      this.give(request, `Profiling for ${seconds} s …`, ({ workers }) => {
        showProfile(workers);
        return "Profiled.";
      });
    });
  }

  recycle(pid) {
    this.give({ command: "recycle", worker: pid }, "Recycling …", ({ worker }) => `Worker ${worker} (pid ${pid}) is being replaced.`);
  }

  // Whether orders can be given at all; whether the server is only shown to who has the token.
  offer(isOffered, isLocked) {
    [this.isOffered, this.isLocked] = [isOffered, isLocked];
    const isIn = token() !== "";
    find("sign-in").hidden = isIn || !(isOffered || isLocked);
    find("read-only").hidden = isOffered || isLocked;
    find("orders").hidden = !isIn || !isOffered;
  }

  get areGiven() {
    return this.isOffered && token() !== "";
  }

  // The number of workers that there are to be, unless somebody writes another one.
  suggest(workers) {
    const field = find("number");
    if (document.activeElement !== field && !field.dataset.touched) field.value = String(workers);
  }

  async signIn() {
    const given = find("token").value.trim();
    const { status, answer } = await this.send({ command: "version" }, given);
    if (status !== 200) return tell(answer.error, "bad");
    sessionStorage.setItem(KEY, given);
    find("token").value = "";
    tell("Signed in.", "good");
    this.offer(true, false);
    this.onChange();
    find("reload").focus();
  }

  signOut(why) {
    sessionStorage.removeItem(KEY);
    tell(why);
    this.offer(this.isOffered, this.isLocked);
    this.onChange();
    if (!find("sign-in").hidden) find("token").focus();
  }

  async give(request, meanwhile, words) {
    tell(meanwhile);
    const { status, answer } = await this.send(request, token());
    if (status === 401) return this.signOut("The server has another token now: sign in again.");
    if (answer.ok) return tell(words(answer), "good");
    tell(`Not done: ${answer.error}`, "bad");
    return announce("The order failed.");
  }

  async send(request, given) {
    const headers = { "Content-Type": "application/json", Authorization: `Bearer ${given}` };
    try {
      const reply = await fetch("control", { method: "POST", headers, body: JSON.stringify(request), cache: "no-store" });
      const text = await reply.text();
      const answer = reply.ok ? JSON.parse(text) : { ok: false, error: text.trim() };
      return { status: reply.status, answer };
    } catch {
      return { status: 0, answer: { ok: false, error: "the server does not answer" } };
    }
  }
}
