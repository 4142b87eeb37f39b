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

// Private windows of some browsers refuse the storage: then the conversation ends with the page.
const memory = new Map();
export const storage = {
  get(key) {
    try { return sessionStorage.getItem(key); } catch { return memory.get(key) ?? null; }
  },
  set(key, value) {
    try { sessionStorage.setItem(key, value); } catch { memory.set(key, value); }
  },
  remove(key) {
    try { sessionStorage.removeItem(key); } catch { memory.delete(key); }
  },
};

export function token() { return storage.get("lotse.token"); }

export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  // Pages without https have no randomUUID.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

async function call(method, path, body, language) {
  const headers = {};
  if (language) headers["Accept-Language"] = language;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token()) headers.Authorization = `Bearer ${token()}`;
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(path, {
      method, headers, signal: abort.signal, cache: "no-store",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (response.status === 204) return null;
    const answer = await response.json();
    if (response.ok) return answer;
    const error = answer.error ?? {};
    const seconds = Number(response.headers.get("Retry-After")) || 0;
    throw new ApiError(response.status, error.code, error.message, answer.messages ?? [], seconds);
  } catch (error) {
    throw error instanceof ApiError ? error : new ApiError(0, "offline", "", [], 0);
  } finally {
    clearTimeout(timer);
  }
}

export async function start(language) {
  storage.remove("lotse.token");
  const answer = await call("POST", "/api/chat/sessions", { language });
  storage.set("lotse.token", answer.token);
  return answer;
}

export const read = () => call("GET", "/api/chat/messages");
export const change = (changes) => call("PATCH", "/api/chat/sessions/current", changes);
export const feedback = (messageId, helpful) => call("POST", "/api/chat/feedback", { message_id: messageId, helpful });
export const texts = (language) => call("GET", `/texts/${language}.json`);

// Sends a message; the id stays the same however often it is sent, so that it is processed once.
export async function send(inquiry) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call("POST", "/api/chat/messages", inquiry);
    } catch (error) {
      if (error.status !== 409 || attempt === 4) throw error;
      await new Promise((done) => setTimeout(done, 1000 * (error.retryAfter || 2)));
    }
  }
}

export async function remove() {
  if (!token()) return;
  try {
    await call("DELETE", "/api/chat/sessions/current");
  } catch (error) {
    if (error.status !== 401) throw error; // 401: it is gone already
  }
  storage.remove("lotse.token");
}
