// Turns messages into elements. Text only ever enters the page as text.

let speech = { language: "de", direction: "ltr", texts: {}, language_names: {} };
const RIGHT_TO_LEFT = ["ar", "fa"];

export function speak(newSpeech) { speech = newSpeech; }
export function language() { return speech.language; }

// A text with a number comes in the plural forms of its language, by the categories of CLDR.
function form(found, count) {
  if (typeof found !== "object") return found;
  return found[new Intl.PluralRules(speech.language).select(count)] ?? found.other;
}

export function text(key, values = {}) {
  return form(speech.texts[key] ?? "", values.count).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") made.className = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

// A text of the page that follows when the language changes.
export function label(name, key, attributes = {}) {
  return element(name, { ...attributes, "data-text": key }, text(key));
}

function link(href, shown, outside = false) {
  const attributes = { href };
  if (outside) {
    attributes.target = "_blank";
    attributes.rel = "noopener noreferrer";
  }
  const made = element("a", attributes, shown);
  if (outside) made.setAttribute("title", text("office.new_window"));
  return made;
}

function webAddress(value) {
  try {
    const url = new URL(/^https?:\/\//i.test(value) ? value : `https://${value}`);
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

const dial = (phone) => phone.replace(/\(0\)/g, "").replace(/[^+\d]/g, "");

const LINKS = new RegExp([
  "https?://[^\\s<>\"'\u2066-\u2069]+",
  "[\\w.+-]+@[\\w-]+(?:\\.[\\w-]+)+",
  "(?:[a-z0-9-]+\\.)+(?:de|org|com|eu|net|info)\\b(?:/[^\\s<>\"'\u2066-\u2069]*)?",
  "(?:\\+49[\\d /()-]{5,}\\d|\\b0800[\\d /-]{5,}\\d|\\b116 ?\\d{3}\\b)",
].join("|"), "gi");

// Returns the nodes of a bot text, with addresses and numbers as links.
export function linked(value) {
  const nodes = [];
  let end = 0;
  for (const match of value.matchAll(LINKS)) {
    const found = match[0].replace(/[.,;:!?)\]»“”]+$/, "");
    let href;
    if (/^[+\d]/.test(found) && !/[a-z]/i.test(found)) href = `tel:${dial(found)}`;
    else if (found.includes("@") && !found.includes("/")) href = `mailto:${found}`;
    else href = webAddress(found);
    if (!href) continue;
    nodes.push(value.slice(end, match.index));
    nodes.push(link(href, element("bdi", { dir: "ltr" }, found), href.startsWith("http")));
    end = match.index + found.length;
  }
  nodes.push(value.slice(end));
  return nodes.filter((node) => node !== "");
}

const RULED = /^[a-z]{2,3}(-[a-z]+)?$/i;

function languageNames(codes) {
  const list = Array.isArray(codes) ? codes : String(codes).split(/[,;]\s*/);
  return list.map((code) => (RULED.test(code) && speech.language_names[code.toLowerCase()]) || code).join(", ");
}

// Dates and numbers as on German letters: the Western calendar and digits, also in Arabic and Persian.
const localeOf = (tongue) => `${tongue}-u-ca-gregory-nu-latn`;

function date(value) {
  const parsed = new Date(`${value}T12:00:00`);
  if (Number.isNaN(parsed.getTime())) return value;
  return new Intl.DateTimeFormat(localeOf(speech.language), { dateStyle: "medium" }).format(parsed);
}

function distance(kilometres) {
  const number = kilometres < 10 ? Math.round(kilometres * 10) / 10 : Math.round(kilometres);
  return new Intl.NumberFormat(localeOf(speech.language), { style: "unit", unit: "kilometer" }).format(number);
}

// Distances are measured between the middles of towns; "0 km" would promise too much.
function howFar(kilometres) {
  return kilometres < 2 ? text("office.distance_here") : text("office.distance_value", { distance: distance(kilometres) });
}

const WEEKDAYS = { Mo: 1, Tu: 2, We: 3, Th: 4, Fr: 5, Sa: 6, Su: 7 };

// "Mo-Fr 09:00-17:00" in the words of the page's language (2024-01-01 was a Monday).
function openingHours(value) {
  const name = new Intl.DateTimeFormat(localeOf(speech.language), { weekday: "short" });
  return value
    .replace(/\b(Mo|Tu|We|Th|Fr|Sa|Su)\b/g, (day) => name.format(new Date(2024, 0, WEEKDAYS[day])))
    .replace(/-/g, "–");
}

function row(key, ...content) {
  return [label("dt", key), element("dd", {}, ...content)];
}

function address(office) {
  const town = [office.postcode, office.city].filter(Boolean).join(" ");
  const full = [office.street, town].filter(Boolean).join(", ");
  if (!full) return [];
  const map = `https://www.openstreetmap.org/search?query=${encodeURIComponent(full)}`;
  const nodes = [element("span", { lang: "de", dir: "ltr" }, full)];
  // Without a street the map would show the middle of the town, and people would go there.
  if (office.street) nodes.push(element("br"), link(map, text("office.map"), true));
  return row("office.address", ...nodes);
}

function phones(value) {
  const nodes = [];
  for (const phone of value.split(/\s+\/\s+|\s*[;|]\s*/).filter(Boolean)) {
    if (nodes.length) nodes.push(element("br"));
    nodes.push(/\d{3}/.test(dial(phone)) ? link(`tel:${dial(phone)}`, element("bdi", { dir: "ltr" }, phone)) : phone);
  }
  return nodes;
}

function website(value) {
  const href = webAddress(value);
  const shown = value.replace(/^https?:\/\/(www\.)?/i, "").replace(/\/$/, "");
  const short = shown.length > 48 ? `${shown.slice(0, 45)}…` : shown;
  return href ? link(href, element("bdi", { dir: "ltr" }, short), true) : value;
}

function office(data, id) {
  const visit = speech.texts[`appointment.${data.appointment}`] ? `appointment.${data.appointment}` : null;
  const rows = [
    ...address(data),
    ...(data.phone ? row("office.phone", ...phones(data.phone)) : []),
    ...(data.email ? row("office.email", link(`mailto:${data.email}`, element("bdi", {}, data.email))) : []),
    ...(data.website ? row("office.website", website(data.website)) : []),
    ...(data.languages?.length ? row("office.languages", languageNames(data.languages)) : []),
    ...(data.audience ? row("office.audience", element("span", { lang: data.audience_language ?? "de", dir: "auto" }, data.audience)) : []),
    ...(data.opening_hours ? row("office.hours", element("span", { dir: "auto" }, openingHours(data.opening_hours))) : []),
    ...(visit ? row("office.appointment", label("span", visit)) : []),
    ...(typeof data.distance_km === "number" ? row("office.distance", howFar(data.distance_km)) : []),
  ];
  const source = data.source_url && webAddress(data.source_url);
  const kind = speech.texts[`kind.${data.kind}`] ? label("p", `kind.${data.kind}`, { class: "kind" }) : null;
  const carrier = data.carrier && data.carrier !== data.name
    ? element("p", { class: "carrier" }, label("span", "office.carrier"), ": ", element("span", { lang: "de" }, data.carrier))
    : null;
  const warning = data.confirmed === false
    ? element("p", { class: "warning" }, label("strong", "office.unconfirmed"), ". ", label("span", "office.unconfirmed_help"))
    : null;
  const stand = element("p", { class: "stand" },
    data.checked_on ? text("office.checked_on", { date: date(data.checked_on) }) : "",
    data.checked_on && source ? " · " : "",
    source ? link(source, text("office.source"), true) : "");
  return element("li", {},
    element("article", { class: `office${warning ? " unconfirmed" : ""}`, "aria-labelledby": id },
      kind,
      element("h3", { id }, element("bdi", { lang: "de", dir: "auto" }, data.name)),
      carrier, warning, rows.length ? element("dl", {}, ...rows) : null, stand));
}

function referral(data, messageId, tongue) {
  const offices = (data.offices ?? []).map((one, index) => office(one, `office-${messageId}-${index}`));
  const notes = (data.notes ?? []).map((note) => element("li", {}, ...linked(note)));
  return [
    offices.length ? element("ul", { class: "offices" }, ...offices) : null,
    notes.length ? element("ul", { class: "notes", ...tongue }, ...notes) : null,
  ];
}

function replies(message, tongue, onChoose) {
  const list = element("ul", { class: "replies", ...tongue, "aria-label": text("message.buttons") });
  for (const button of message.buttons) {
    const made = element("button", { type: "button" }, button.title);
    made.addEventListener("click", (event) => {
      for (const other of list.querySelectorAll("button")) other.disabled = true;
      made.classList.add("chosen");
      onChoose(button, event.detail === 0);
    });
    list.append(element("li", {}, made));
  }
  return list;
}

function feedback(message, onFeedback) {
  const box = element("div", { class: "feedback" });
  const question = label("span", "feedback.question");
  const make = (key, helpful) => {
    const made = label("button", key, { type: "button" });
    made.addEventListener("click", async () => {
      for (const button of box.querySelectorAll("button")) button.disabled = true;
      if (!(await onFeedback(message.id, helpful))) {
        for (const button of box.querySelectorAll("button")) button.disabled = false;
        return;
      }
      // A status, not a log entry: the person is told, and stays where she is.
      box.replaceChildren(label("span", "feedback.thanks", { role: "status", tabindex: "-1" }));
      box.firstChild.focus();
    });
    return made;
  };
  box.append(question, make("feedback.yes", true), make("feedback.no", false));
  return box;
}

export function botMessage(message, { onChoose, onFeedback }) {
  const spoken = message.language || speech.language;
  // On what is said, not on the whole message: its side, its labels and the names of the fields are the page's.
  const tongue = { lang: spoken, dir: RIGHT_TO_LEFT.includes(spoken) ? "rtl" : "ltr" };
  const made = element("div", { class: "message bot", "data-id": message.id });
  made.append(label("p", "author.bot", { class: "author" }));
  const body = message.text ? linked(message.text) : [];
  if (body.length) made.append(element("div", { class: "body", ...tongue }, ...body));
  if (message.referral) made.append(...referral(message.referral, message.id, tongue).filter(Boolean));
  if (message.buttons?.length) made.append(replies(message, tongue, onChoose));
  const hasSource = body.some((node) => node instanceof Element && node.getAttribute("href").startsWith("http"));
  if (message.referral || message.source || hasSource) made.append(feedback(message, onFeedback));
  return made;
}

// The person's message, with a state that can change.
export function userMessage(shown) {
  const state = element("p", { class: "state", hidden: true });
  const made = element("div", { class: "message user" },
    label("p", "author.user", { class: "author" }),
    element("div", { class: "body" }, element("div", { dir: "auto" }, shown)), state);
  return {
    element: made,
    show(key, problem = "", onRetry = null) {
      made.classList.toggle("failed", key === "message.failed");
      state.hidden = !key;
      state.replaceChildren();
      if (!key) return;
      state.append(label("span", key), problem ? ` ${problem}` : "");
      if (onRetry) {
        const button = label("button", "message.retry", { type: "button" });
        button.addEventListener("click", onRetry);
        state.append(button);
      }
    },
  };
}
