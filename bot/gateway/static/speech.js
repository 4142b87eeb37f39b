// The texts of a language, and how dates, distances and hours are said in it.

// A text with a number comes in the plural forms of its language, by the categories of CLDR.
const form = (found, count, language) =>
  typeof found === "object" ? found[new Intl.PluralRules(language).select(count)] ?? found.other : found;

// Dates and numbers as on German letters: the Western calendar and digits, also in Arabic and Persian.
const localeOf = (language) => `${language}-u-ca-gregory-nu-latn`;
const WEEKDAYS = { Mo: 1, Tu: 2, We: 3, Th: 4, Fr: 5, Sa: 6, Su: 7 };
// What browsers call by another code.
const OTHER_CODES = { prs: "fa-AF" };
const CODE = /^[a-z]{2,3}(-[a-z]+)?$/i;

export class Speech {
  constructor({ language, direction, texts, contacts }) {
    Object.assign(this, { language, direction, texts, contacts });
  }

  has(key) { return key in this.texts; }

  text(key, values = {}) {
    return form(this.texts[key] ?? "", values.count, this.language).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  date(value) {
    const parsed = new Date(`${value}T12:00:00`);
    if (Number.isNaN(parsed.getTime())) return value;
    return new Intl.DateTimeFormat(localeOf(this.language), { dateStyle: "medium" }).format(parsed);
  }

  // Distances are measured between the middles of towns; "0 km" would promise too much.
  distance(kilometres) {
    if (kilometres < 2) return this.text("office.distance_here");
    const number = kilometres < 10 ? Math.round(kilometres * 10) / 10 : Math.round(kilometres);
    const said = new Intl.NumberFormat(localeOf(this.language), { style: "unit", unit: "kilometer" }).format(number);
    return this.text("office.distance_value", { distance: said });
  }

  // "Mo-Fr 09:00-17:00" in the words of the language (2024-01-01 was a Monday).
  openingHours(value) {
    const name = new Intl.DateTimeFormat(localeOf(this.language), { weekday: "short" });
    return value
      .replace(/\b(Mo|Tu|We|Th|Fr|Sa|Su)\b/g, (day) => name.format(new Date(2024, 0, WEEKDAYS[day])))
      .replace(/-/g, "–");
  }

  languageNames(codes) {
    const list = Array.isArray(codes) ? codes : String(codes).split(/[,;]\s*/);
    return list.map((code) => {
      if (!CODE.test(code)) return code;
      try {
        return new Intl.DisplayNames([this.language], { type: "language" }).of(OTHER_CODES[code] ?? code);
      } catch {
        return code;
      }
    }).join(", ");
  }
}
