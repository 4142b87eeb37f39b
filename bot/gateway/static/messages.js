// Turns messages into elements. Text only ever enters the page as text.
import { element } from "./cards.js";

export class Messages {
  // on: what happens when a button is chosen or an opinion given.
  constructor(cards, rightToLeft, on, headingLevel) {
    this.cards = cards;
    this.rightToLeft = rightToLeft;
    this.on = on;
    this.headingLevel = headingLevel;
  }

  label(...parts) { return this.cards.label(...parts); }

  bot(message) {
    const spoken = message.language || this.cards.speech().language;
    // On what is said, not on the whole message: its side, its labels and the names of the fields are the page's.
    const tongue = { lang: spoken, dir: this.rightToLeft.includes(spoken) ? "rtl" : "ltr" };
    const made = element("div", { class: "message bot", "data-id": message.id });
    made.append(this.label("p", "author.bot", { class: "author" }));
    const body = message.text ? this.cards.linked(message.text) : [];
    if (body.length) made.append(element("div", { class: "body", ...tongue }, ...body));
    if (message.referral) made.append(...this.cards.referral(message.referral, message.id, tongue, this.headingLevel));
    if (message.buttons?.length) made.append(this.replies(message, tongue));
    const hasSource = body.some((node) => node instanceof Element && node.getAttribute("href").startsWith("http"));
    if (message.referral || message.source || hasSource) made.append(this.feedback(message));
    return made;
  }

  replies(message, tongue) {
    const list = element("ul", { class: "replies", ...tongue, "aria-label": this.cards.text("message.buttons"), "data-label": "message.buttons" });
    for (const button of message.buttons) {
      const made = element("button", { type: "button" }, button.title);
      made.addEventListener("click", (event) => {
        for (const other of list.querySelectorAll("button")) other.disabled = true;
        made.classList.add("chosen");
        this.on.choose(button, event.detail === 0);
      });
      list.append(element("li", {}, made));
    }
    return list;
  }

  feedback(message) {
    const box = element("div", { class: "feedback" });
    const make = (key, helpful) => {
      const made = this.label("button", key, { type: "button" });
      made.addEventListener("click", async () => {
        for (const button of box.querySelectorAll("button")) button.disabled = true;
        if (!(await this.on.opinion(message.id, helpful))) {
          for (const button of box.querySelectorAll("button")) button.disabled = false;
          return;
        }
        // A status, not a log entry: the person is told, and stays where she is.
        box.replaceChildren(this.label("span", "feedback.thanks", { role: "status", tabindex: "-1" }));
        box.firstChild.focus();
      });
      return made;
    };
    box.append(this.label("span", "feedback.question"), make("feedback.yes", true), make("feedback.no", false));
    return box;
  }

  // The person's message, with a state that can change.
  user(id, shown) {
    const state = element("p", { class: "state", hidden: true });
    const made = element("div", { class: "message user", "data-id": id },
      this.label("p", "author.user", { class: "author" }),
      element("div", { class: "body" }, element("div", { dir: "auto" }, shown)), state);
    made.state = (key, problem = "", onRetry = null) => {
      made.classList.toggle("failed", key === "message.failed");
      made.classList.toggle("waiting", key === "message.waiting" || key === "message.unanswered");
      state.hidden = !key;
      state.replaceChildren();
      if (!key) return;
      state.append(this.label("span", key), problem ? ` ${problem}` : "");
      if (onRetry) {
        const button = this.label("button", "message.retry", { type: "button" });
        button.addEventListener("click", onRetry);
        state.append(button);
      }
    };
    return made;
  }

  // May counsellors read this conversation? Asked once, with nothing chosen before.
  consent() {
    const box = element("div", { class: "consent", role: "group", "aria-label": this.cards.text("consent.question"), "data-label": "consent.question" },
      this.label("p", "consent.question"), this.label("p", "consent.free", { class: "small" }));
    const answer = (key, yes) => {
      const made = this.label("button", key, { type: "button" });
      made.addEventListener("click", async () => {
        for (const button of box.querySelectorAll("button")) button.disabled = true;
        const done = await this.on.consent(yes);
        if (!done) for (const button of box.querySelectorAll("button")) button.disabled = false;
        else {
          box.replaceChildren(this.label("p", yes ? "consent.given" : "consent.declined", { role: "status", tabindex: "-1" }));
          box.firstChild.focus();
        }
      });
      return made;
    };
    box.append(element("div", { class: "row" }, answer("consent.yes", true), answer("consent.no", false)));
    return box;
  }
}
