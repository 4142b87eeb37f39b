// The chat API. Nothing here touches the page.

const TIMEOUT_MS = 40000;

export class ApiError extends Error {
  constructor(status, code, message, messages, retryAfter) {
    super(message);
    this.status = status; // 0: no connection
    this.code = code;
    this.messages = messages;
    this.retryAfter = retryAfter;
  }
}

export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  // Pages without https and older browsers have no randomUUID.
  return "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) =>
    (digit ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (digit / 4)))).toString(16));
}

export class Api {
  // home: where the guide lives; kept: storage for the token, shared by all tabs of a website.
  constructor(home, kept) {
    this.home = home;
    this.kept = kept;
  }

  get token() { return this.kept.get("token"); }

  async call(method, path, body, language) {
    const headers = {};
    if (language) headers["Accept-Language"] = language;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
    try {
      const response = await fetch(new URL(path, this.home), {
        method, headers, signal: abort.signal, cache: "no-store", credentials: "omit",
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      if (response.status === 204) return null;
      const answer = await response.json();
      if (response.ok) return answer;
      const error = answer.error ?? {};
      const seconds = Number(response.headers.get("Retry-After")) || 0;
      throw new ApiError(response.status, error.code, error.message, answer.messages ?? [], seconds);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      if (navigator.onLine && this.home.origin !== location.origin) {
        console.warn(`Lotse: no answer from ${this.home.origin}. Is ${location.origin} in its LOTSE_ALLOWED_ORIGINS?`);
      }
      throw new ApiError(0, "offline", "", [], 0);
    } finally {
      clearTimeout(timer);
    }
  }

  async start(language) {
    this.kept.remove("token");
    const answer = await this.call("POST", "api/chat/sessions", { language });
    this.kept.set("token", answer.token);
    return answer;
  }

  read() { return this.call("GET", "api/chat/messages"); }

  // The id stays the same however often a message is sent, so that it is processed once.
  send(inquiry) { return this.call("POST", "api/chat/messages", inquiry); }

  change(changes) { return this.call("PATCH", "api/chat/sessions/current", changes); }

  feedback(messageId, helpful) { return this.call("POST", "api/chat/feedback", { message_id: messageId, helpful }); }

  async remove() {
    if (!this.token) return;
    try {
      await this.call("DELETE", "api/chat/sessions/current");
    } catch (error) {
      if (error.status !== 401) throw error; // 401: it is gone already
    }
    this.kept.remove("token");
  }
}
