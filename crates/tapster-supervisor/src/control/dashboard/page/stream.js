// Follows the server: server-sent events over fetch, which can carry a token, and comes again by itself when the server was gone.

const FIRST_WAIT = 500;
const LONGEST_WAIT = 5000;
// A server says something every second. One that is silent for so long is not there.
const PATIENCE = 8000;

export class Stream {
  constructor(token, { onEvent, onState }) {
    this.token = token;
    this.onEvent = onEvent;
    this.onState = onState;
    this.lastId = null;
    this.wait = FIRST_WAIT;
  }

  async follow() {
    for (;;) {
      try {
        await this.read();
        this.onState("gone", "The server ended the connection.");
      } catch (error) {
        if (error instanceof Refused) {
          this.onState(error.status === 401 ? "locked" : "refused", error.message);
        } else {
          this.onState("gone", "The server does not answer.");
        }
      }
      await new Promise((resume) => {
        this.resume = resume;
        setTimeout(resume, this.wait);
      });
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    }
  }

  // Tries again now, for example because there is a token.
  hurry() {
    this.wait = FIRST_WAIT;
    this.resume?.();
  }

  async read() {
    const controller = new AbortController();
    let watchdog = setTimeout(() => controller.abort(), PATIENCE);
    try {
      const headers = { Accept: "text/event-stream" };
      if (this.lastId) headers["Last-Event-ID"] = this.lastId;
      if (this.token()) headers.Authorization = `Bearer ${this.token()}`;
      const answer = await fetch("events", { headers, cache: "no-store", signal: controller.signal });
      if (!answer.ok) throw new Refused(answer.status, (await answer.text()).trim());
      this.wait = FIRST_WAIT;
      this.onState("open", "");
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => controller.abort(), PATIENCE);
        const events = (text + value).split("\n\n");
        text = events.pop();
        events.forEach((event) => this.event(event));
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  event(text) {
    let [name, id, data] = ["message", null, ""];
    for (const line of text.split("\n")) {
      if (line.startsWith("event: ")) name = line.slice(7);
      else if (line.startsWith("id: ")) id = line.slice(4);
      else if (line.startsWith("data: ")) data += line.slice(6);
    }
    if (data) this.onEvent(name, JSON.parse(data));
    // What failed to be shown is sent again.
    if (id) this.lastId = id;
  }
}

class Refused extends Error {
  constructor(status, text) {
    super(text || `The server refused with ${status}.`);
    this.status = status;
  }
}
