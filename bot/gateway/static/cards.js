// Office cards, and what can be done with them: copy, send to the own phone, print.

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

export function webAddress(value) {
  try {
    const url = new URL(/^https?:\/\//i.test(value) ? value : `https://${value}`);
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

export const dial = (phone) => phone.replace(/\(0\)/g, "").replace(/[^+\d]/g, "");

const LINKS = new RegExp([
  "https?://[^\\s<>\"'\u2066-\u2069]+",
  "[\\w.+-]+@[\\w-]+(?:\\.[\\w-]+)+",
  "(?:[a-z0-9-]+\\.)+(?:de|org|com|eu|net|info)\\b(?:/[^\\s<>\"'\u2066-\u2069]*)?",
  "(?:\\+49[\\d /()-]{5,}\\d|\\b0800[\\d /-]{5,}\\d|\\b116 ?\\d{3}\\b)",
].join("|"), "gi");

const split = (value) => value.split(/\s+\/\s+|\s*[;|]\s*/).filter(Boolean);
const placeOf = (office) => [office.street, [office.postcode, office.city].filter(Boolean).join(" ")].filter(Boolean).join(", ");

// Phones open their own map by geo:, which Apple does not know; elsewhere a link. Nothing is loaded from the map.
function mapAddress(place) {
  const query = encodeURIComponent(place);
  return /android/i.test(navigator.userAgent) ? `geo:0,0?q=${query}` : `https://www.openstreetmap.org/search?query=${query}`;
}

export class Cards {
  // speech: a function that returns the present Speech; home: where the guide lives.
  constructor(speech, home) {
    this.speech = speech;
    this.home = home;
  }

  text(key, values) { return this.speech().text(key, values); }

  // A text of the widget that follows when the language changes.
  label(name, key, attributes = {}) {
    return element(name, { ...attributes, "data-text": key }, this.text(key));
  }

  link(href, shown, outside = false) {
    const made = element("a", outside ? { href, target: "_blank", rel: "noopener noreferrer" } : { href }, shown);
    if (outside) made.setAttribute("title", this.text("office.new_window"));
    return made;
  }

  // Returns the nodes of a bot text, with addresses and numbers as links.
  linked(value) {
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
      nodes.push(this.link(href, element("bdi", { dir: "ltr" }, found), href.startsWith("http")));
      end = match.index + found.length;
    }
    nodes.push(value.slice(end));
    return nodes.filter((node) => node !== "");
  }

  row(key, ...content) { return [this.label("dt", key), element("dd", {}, ...content)]; }

  address(office) {
    const place = placeOf(office);
    if (!place) return [];
    const nodes = [element("span", { lang: "de", dir: "ltr" }, place)];
    // Without a street the map would show the middle of the town, and people would go there.
    if (office.street) nodes.push(element("br"), this.link(mapAddress(place), this.label("span", "office.map"), true));
    return this.row("office.address", ...nodes);
  }

  phones(value) {
    const nodes = [];
    for (const phone of split(value)) {
      if (nodes.length) nodes.push(element("br"));
      nodes.push(/\d{3}/.test(dial(phone)) ? this.link(`tel:${dial(phone)}`, element("bdi", { dir: "ltr" }, phone)) : phone);
    }
    return nodes;
  }

  website(value) {
    const href = webAddress(value);
    const shown = value.replace(/^https?:\/\/(www\.)?/i, "").replace(/\/$/, "");
    const short = shown.length > 48 ? `${shown.slice(0, 45)}…` : shown;
    return href ? this.link(href, element("bdi", { dir: "ltr" }, short), true) : value;
  }

  office(data, id, headingLevel) {
    const speech = this.speech();
    const visit = speech.has(`appointment.${data.appointment}`) ? `appointment.${data.appointment}` : null;
    const rows = [
      ...this.address(data),
      ...(data.phone ? this.row("office.phone", ...this.phones(data.phone)) : []),
      ...(data.email ? this.row("office.email", this.link(`mailto:${data.email}`, element("bdi", {}, data.email))) : []),
      ...(data.website ? this.row("office.website", this.website(data.website)) : []),
      ...(data.languages?.length ? this.row("office.languages", speech.languageNames(data.languages)) : []),
      ...(data.audience ? this.row("office.audience", element("span", { lang: data.audience_language ?? "de", dir: "auto" }, data.audience)) : []),
      ...(data.opening_hours ? this.row("office.hours", element("span", { dir: "auto" }, speech.openingHours(data.opening_hours))) : []),
      ...(visit ? this.row("office.appointment", this.label("span", visit)) : []),
      ...(typeof data.distance_km === "number" ? this.row("office.distance", speech.distance(data.distance_km)) : []),
    ];
    const source = data.source_url && webAddress(data.source_url);
    const kind = speech.has(`kind.${data.kind}`) ? this.label("p", `kind.${data.kind}`, { class: "kind" }) : null;
    const carrier = data.carrier && data.carrier !== data.name
      ? element("p", { class: "carrier" }, this.label("span", "office.carrier"), ": ", element("bdi", { lang: "de" }, data.carrier))
      : null;
    const warning = data.confirmed === false
      ? element("p", { class: "warning" }, this.label("strong", "office.unconfirmed"), ". ", this.label("span", "office.unconfirmed_help"))
      : null;
    const stand = element("p", { class: "stand" },
      data.checked_on ? this.text("office.checked_on", { date: speech.date(data.checked_on) }) : "",
      data.checked_on && source ? " · " : "",
      source ? this.link(source, this.label("span", "office.source"), true) : "");
    return element("li", {},
      element("article", { class: `office${warning ? " unconfirmed" : ""}`, "aria-labelledby": id },
        kind,
        element(`h${headingLevel}`, { id, class: "office-name" }, element("bdi", { lang: "de", dir: "auto" }, data.name)),
        carrier, warning, rows.length ? element("dl", {}, ...rows) : null, stand));
  }

  // tongue: lang and dir of the message that the referral belongs to.
  referral(data, messageId, tongue, headingLevel) {
    const offices = data.offices ?? [];
    const cards = offices.map((one, index) => this.office(one, `office-${messageId}-${index}`, headingLevel));
    const notes = (data.notes ?? []).map((note) => element("li", {}, ...this.linked(note)));
    return [
      cards.length ? element("ul", { class: "offices" }, ...cards) : null,
      notes.length ? element("ul", { class: "notes", ...tongue }, ...notes) : null,
      data.callback ? element("p", { class: "tools" }, this.page("card.callback", new URL(data.callback, this.home))) : null,
      cards.length ? this.tools(data) : null,
    ].filter(Boolean);
  }

  // A page of the guide, in a window of its own.
  page(key, href) {
    return this.label("a", key, { class: "button", href, target: "_blank", rel: "noopener", title: this.text("office.new_window") });
  }

  // ---------------------------------------------------------------- taking an office along

  // The printed page knows public facts only: which offices, for which need, in which language.
  sheetAddress(data) {
    const url = new URL("sheet", this.home);
    url.searchParams.set("language", this.speech().language);
    url.searchParams.set("need", data.need);
    for (const office of data.offices) url.searchParams.append("office", office.id);
    return url.href;
  }

  plain(data) {
    const line = (key, value) => (value ? `${this.text(key)}: ${value}` : "");
    const offices = data.offices.map((office) => [
      office.name,
      office.carrier && office.carrier !== office.name ? line("office.carrier", office.carrier) : "",
      office.confirmed === false ? `${this.text("office.unconfirmed")}. ${this.text("office.unconfirmed_help")}` : "",
      line("office.address", placeOf(office)),
      line("office.phone", office.phone), line("office.email", office.email), line("office.website", office.website),
      line("office.languages", office.languages?.length ? this.speech().languageNames(office.languages) : ""),
      line("office.hours", office.opening_hours ? this.speech().openingHours(office.opening_hours) : ""),
      office.checked_on ? this.text("office.checked_on", { date: this.speech().date(office.checked_on) }) : "",
    ].filter(Boolean).join("\n"));
    return offices.join("\n\n");
  }

  tools(data) {
    const said = element("span", { role: "status", class: "said" });
    const tell = (key) => said.replaceChildren(this.label("span", key));
    // In danger there is nothing to print: the numbers are called at once.
    const sheet = data.need === "crisis" ? "" : this.sheetAddress(data);
    const copy = this.label("button", "card.copy", { type: "button" });
    copy.addEventListener("click", async () => tell((await copied(this.plain(data))) ? "card.copied" : "card.copy_failed"));
    let send;
    if (navigator.share) {
      send = this.label("button", "card.share", { type: "button" });
      send.addEventListener("click", () => {
        // Who closes the share sheet has changed her mind; that is no error.
        navigator.share({ title: this.text("sheet.title"), text: this.plain(data), ...(sheet && { url: sheet }) }).catch(() => {});
      });
    } else {
      const body = `${this.plain(data)}\n\n${sheet}`.trim();
      send = this.label("a", "card.email", { class: "button", href: `mailto:?subject=${encodeURIComponent(this.text("sheet.title"))}&body=${encodeURIComponent(body)}` });
    }
    const print = sheet && this.page("card.print", sheet);
    return element("div", { class: "tools" }, copy, send, print, said);
  }
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages without https and older browsers have only the old way.
    const field = element("textarea", { "aria-hidden": "true" });
    field.value = text;
    const before = document.activeElement;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    before?.focus?.();
    return done;
  }
}
