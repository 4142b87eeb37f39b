// What the person has written and the guide has not answered yet. It survives a reload, a dead line and a failing server;
// each message is sent until it is answered, always under the same id, one after the other.

const PAUSES = [3, 6, 12, 30, 60]; // seconds between attempts; the last one goes on
const GIVE_UP_AFTER = 30; // attempts; then only the person's own click tries again
// Sending the same again would not help.
const REFUSED = [400, 404, 405, 413, 415];

export class Outbox {
  // on: what the panel does when a message is being sent, answered, waiting or refused, or when the conversation is over.
  constructor(api, kept, on) {
    this.api = api;
    this.kept = kept;
    this.on = on;
    this.running = false;
    this.attempts = 0;
    addEventListener("online", () => this.now());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.now(); });
  }

  get items() {
    try {
      const items = JSON.parse(this.kept.get("outbox") ?? "[]");
      return Array.isArray(items) ? items : [];
    } catch {
      return [];
    }
  }

  save(items) {
    if (items.length) this.kept.set("outbox", JSON.stringify(items));
    else this.kept.remove("outbox");
  }

  has(id) { return this.items.some((item) => item.id === id); }

  // item: {id, shown, text} or {id, shown, button}
  add(item) {
    if (!this.has(item.id)) this.save([...this.items, item]);
    this.now();
  }

  drop(id) { this.save(this.items.filter((item) => item.id !== id)); }

  clear() {
    clearTimeout(this.timer);
    this.attempts = 0;
    this.save([]);
  }

  now() {
    clearTimeout(this.timer);
    this.flush();
  }

  async flush() {
    if (this.running || !this.api.token) return;
    this.running = true;
    try {
      for (let item = this.items[0]; item; item = this.items[0]) {
        if (!(await this.deliver(item))) return;
      }
    } finally {
      this.running = false;
    }
  }

  // Returns whether to go on with the next message.
  async deliver(item) {
    const token = this.api.token;
    this.on.sending(item);
    try {
      const { id, text, button } = item;
      const answer = await this.api.send(button ? { id, button } : { id, text });
      if (token !== this.api.token) return false; // a new conversation has begun in the meantime
      this.drop(item.id);
      this.attempts = 0;
      this.on.answered(item, answer.messages);
      return true;
    } catch (error) {
      if (token !== this.api.token) return false;
      if (error.status === 401) {
        this.on.ended(item);
        return false;
      }
      if (REFUSED.includes(error.status)) {
        this.drop(item.id);
        this.on.refused(item, error);
        return true;
      }
      this.on.waiting(item, error, this.attempts === 0);
      this.later(error.retryAfter ?? 0);
      return false;
    }
  }

  later(seconds) {
    const pause = Math.max(seconds, PAUSES[Math.min(this.attempts, PAUSES.length - 1)]);
    this.attempts += 1;
    clearTimeout(this.timer);
    if (this.attempts < GIVE_UP_AFTER) this.timer = setTimeout(() => this.flush(), pause * 1000);
  }
}
