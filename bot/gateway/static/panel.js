// The open chat: its parts, and what happens when. Requests are in api.js, elements in messages.js and cards.js.
import { Api, newId } from "./api.js";
import { Cards, element } from "./cards.js";
import { Messages } from "./messages.js";
import { Outbox } from "./outbox.js";
import { Speech } from "./speech.js";

const NARROW = 480; // pixels; from here on the panel fills the screen, and names stand above what they name

async function loadTexts(home, language) {
  const response = await fetch(new URL(`texts/${language}.json`, home), { credentials: "omit" });
  if (!response.ok) throw new Error(`${response.status}`);
  return response.json();
}

export class Panel {
  // host: the <lotse-chat>; texts: those of the first language; kept: storage that all tabs of the website share.
  constructor(host, { home, kept, texts, right_to_left: rightToLeft }) {
    this.host = host;
    this.home = home;
    this.kept = kept;
    this.floating = !host.hasAttribute("inline");
    this.use(texts);
    this.api = new Api(home, kept);
    this.cards = new Cards(() => this.speech, home);
    const level = Number(host.getAttribute("heading-level")) || 2;
    this.messages = new Messages(this.cards, rightToLeft, {
      choose: (button, byKeyboard) => this.choose(button, byKeyboard),
      opinion: (id, helpful) => this.api.feedback(id, helpful).then(() => true, () => false),
      consent: (yes) => this.setConsent(yes),
    }, Math.min(level + 1, 6));
    this.outbox = new Outbox(this.api, kept, {
      sending: (item) => this.bubble(item).state("message.sending"),
      answered: (item, messages) => this.answered(item, messages),
      waiting: (item, error, first) => this.waiting(item, error, first),
      refused: (item, error) => this.refused(item, error),
      ended: (item) => this.ended(item),
    });
    this.shown = false;
    this.build(level);
    this.wire();
  }

  use(texts) {
    this.speech = new Speech(texts);
    this.about = texts;
  }

  text(key, values) { return this.speech.text(key, values); }

  label(name, key, attributes = {}) { return this.cards.label(name, key, attributes); }

  // ---------------------------------------------------------------- building

  build(level) {
    const button = (id, key, kind = "") => this.label("button", key, { type: "button", id, class: kind });
    const part = (name, attributes = {}, ...children) => (this[attributes.id] = element(name, attributes, ...children));
    this.title = element("bdi"); // the website may name the chat in another language
    const heading = element(`h${level}`, { id: "title" }, this.title);
    part("select", { id: "language", autocomplete: "off" });
    this.language.append(...this.about.languages.map(([code, name]) => element("option", { value: code, lang: code }, name)));
    this.closer = this.floating ? element("button", { type: "button", id: "close", class: "close" }, element("span", { "aria-hidden": "true" }, "×")) : null;
    const who = element("p", { class: "who" },
      this.label("span", "header.machine"), " ", this.label("strong", "header.not_authority"), " ",
      element("span", { id: "operator" }), " ", this.label("span", "header.free"));
    part("ul", { id: "contacts" });
    part("details", { id: "emergency", class: "emergency" },
      element("summary", {}, this.label("span", "emergency.title"), element("span", { lang: "en", class: "also" }, " / Emergency")),
      this.label("p", "emergency.intro"), this.contacts);
    part("div", { id: "log", class: "log", role: "log", "aria-live": "polite", "aria-relevant": "additions", tabindex: "0", "data-label": "chat.log" });
    part("p", { id: "typing", class: "typing", hidden: true },
      element("span", { class: "dots", "aria-hidden": "true" }, element("i"), element("i"), element("i")), " ", this.label("span", "chat.typing"));
    part("div", { id: "notice", class: "notice", role: "status", hidden: true });
    part("textarea", { id: "input", rows: "1", dir: "auto", maxlength: this.about.message_limit, autocomplete: "off", "aria-describedby": "privacy counter" });
    part("button", { id: "send", type: "submit", class: "primary", "data-text": "chat.send" });
    part("p", { id: "counter", class: "small", "aria-live": "polite", hidden: true });
    this.form = element("form", { class: "form", novalidate: true },
      this.label("label", "chat.input", { for: "input" }),
      element("div", { class: "row" }, this.input, this.send), this.counter);
    part("div", { id: "question", class: "question", role: "alertdialog", "aria-labelledby": "question-text", hidden: true });
    this.withdraw = button("withdraw", "consent.withdraw", "quiet");
    this.withdraw.hidden = true;
    this.startOverButton = button("start-over", "action.start_over", "quiet");
    this.deleteButton = button("delete", "action.delete", "quiet");
    this.element = element("section", { class: `panel ${this.floating ? "floating" : "inline"}`, role: this.floating ? "dialog" : "region", "aria-labelledby": "title" },
      element("div", { class: "top" },
        element("div", { class: "bar" }, heading,
          element("div", { class: "language" }, this.label("label", "language.label", { for: "language", class: "hidden" }), this.language), this.closer),
        this.label("p", "header.what", { class: "what" }), who),
      this.emergency, this.log, this.typing, this.notice, this.question, this.form,
      this.label("p", "chat.privacy", { id: "privacy", class: "small" }),
      element("div", { class: "actions" }, this.startOverButton, this.withdraw, this.deleteButton));
    if (this.floating && this.host.getAttribute("position") === "left") this.element.dataset.side = "left";
    this.speak();
  }

  // Puts every text of the panel into the present language.
  speak() {
    const { language, direction, contacts } = this.speech;
    this.element.lang = language;
    this.element.dir = direction;
    const values = { operator: this.about.operator };
    for (const node of this.element.querySelectorAll("[data-text]")) node.textContent = this.text(node.dataset.text, values);
    for (const node of this.element.querySelectorAll("[data-label]")) node.setAttribute("aria-label", this.text(node.dataset.label));
    this.title.textContent = this.host.getAttribute("heading") || this.text("header.name");
    this.element.querySelector("#operator").textContent = this.text("header.operator", values);
    if (this.closer) this.closer.setAttribute("aria-label", this.text("launcher.close"));
    this.element.querySelector(".emergency .also").hidden = language === "en";
    this.contacts.replaceChildren(...contacts.map((contact) => element("li", {},
      element("span", {}, contact.name),
      element("span", { class: "numbers" }, ...contact.phones.map((phone) =>
        element("a", { href: `tel:${phone.number}` }, element("bdi", { dir: "ltr" }, phone.text)))))));
    this.language.value = language;
    this.example(!this.log.querySelector(".message.user"));
  }

  wire() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.input.addEventListener("input", () => this.grow());
    this.input.addEventListener("keydown", (event) => {
      // isComposing: Enter also ends the choice of a character in some keyboards.
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.submit();
      }
    });
    this.language.addEventListener("change", () => this.changeLanguage(this.language.value));
    this.startOverButton.addEventListener("click", () => this.startOver());
    this.deleteButton.addEventListener("click", () => this.deleteAll());
    this.withdraw.addEventListener("click", async () => {
      if (await this.setConsent(false)) this.tell("consent.withdrawn");
    });
    if (this.closer) {
      this.closer.addEventListener("click", () => this.host.close());
      this.element.addEventListener("keydown", (event) => this.keys(event));
    }
    // Another tab of this website has said, deleted or begun something.
    addEventListener("storage", (event) => {
      if (!this.begun) return;
      if (event.key === "lotse.token") (event.newValue ? this.resume() : this.over("action.deleted"));
      else if (event.key === "lotse.turn") this.resume();
    });
    const fit = () => this.element.classList.toggle("narrow", this.element.clientWidth < NARROW);
    if (window.ResizeObserver) new ResizeObserver(fit).observe(this.element);
  }

  keys(event) {
    if (event.key === "Escape" && this.question.hidden) {
      event.preventDefault();
      this.host.close();
    }
    // Where the panel covers the page, the focus must not wander off behind it.
    if (event.key !== "Tab" || innerWidth >= NARROW) return;
    const stops = [...this.element.querySelectorAll("a[href], button, select, textarea, summary, [tabindex='0']")]
      .filter((one) => !one.disabled && one.offsetParent !== null);
    const [first, last] = [stops[0], stops[stops.length - 1]];
    const now = this.host.shadowRoot.activeElement;
    if (event.shiftKey ? now === first : now === last) {
      event.preventDefault();
      (event.shiftKey ? last : first).focus();
    }
  }

  // ---------------------------------------------------------------- opening and closing

  show(focus) {
    this.shown = true;
    this.element.hidden = false;
    this.grow();
    if (!this.begun) this.begin_();
    if (focus) this.input.focus({ preventScroll: true });
  }

  hide() {
    this.shown = false;
    this.element.hidden = true;
  }

  async begin_() {
    this.begun = true;
    if (this.api.token && (await this.resume())) return;
    await this.begin(this.host.languageChosen ? this.speech.language : null);
  }

  // ---------------------------------------------------------------- language

  async changeLanguage(wanted) {
    try {
      this.use(await loadTexts(this.home, wanted));
    } catch {
      this.language.value = this.speech.language;
      return;
    }
    this.speak();
    this.host.speaks(wanted);
    if (!this.api.token) return;
    const token = this.api.token;
    try {
      const answer = await this.api.change({ language: wanted });
      if (token !== this.api.token) return;
      if (!this.log.querySelector(".message.user")) this.log.replaceChildren(); // the welcome is said anew
      this.showAnswer(answer.messages);
      this.turned();
    } catch (error) {
      if (error.status === 401) this.ended();
      // Otherwise the panel speaks the new language; the guide will with the next message.
    }
  }

  // ---------------------------------------------------------------- showing

  bringIntoView(node) {
    // The beginning of an answer, not its end: long lists of offices would start above the screen.
    if (getComputedStyle(this.log).overflowY === "auto") this.log.scrollTop = Math.min(node.offsetTop - 12, this.log.scrollHeight);
    else if (this.floating) this.element.scrollTop = node.offsetTop + this.log.offsetTop - 60;
    else node.scrollIntoView({ block: "start" });
  }

  disableButtons() {
    for (const button of this.log.querySelectorAll(".replies button")) button.disabled = true;
  }

  showAnswer(messages) {
    const made = messages.map((message) => {
      const node = this.messages.bot(message);
      this.log.append(node);
      return node;
    });
    if (made.length) this.bringIntoView(made[0]);
    const referral = messages.find((message) => message.referral?.offices?.length)?.referral;
    if (!referral) return;
    // How many, and no more: what the person needs is not the website's business.
    this.host.emit("referral", { offices: referral.offices.length });
    if (referral.need !== "crisis") this.askConsent();
  }

  askConsent() {
    if (this.consent || this.kept.get("consent")) return;
    this.kept.set("consent", "asked");
    this.log.append(this.messages.consent());
  }

  async setConsent(yes) {
    try {
      const answer = await this.api.change({ consent_to_review: yes });
      this.consents(answer.consent_to_review);
      return true;
    } catch (error) {
      if (error.status === 401) this.ended();
      return false;
    }
  }

  consents(yes) {
    this.consent = yes;
    this.withdraw.hidden = !yes;
  }

  // The example in the empty field is for the beginning; later it only takes room on a small screen.
  example(wanted) {
    this.input.placeholder = wanted && innerWidth >= NARROW ? this.text("chat.placeholder") : "";
    this.element.classList.toggle("talking", !wanted);
    this.grow();
  }

  bubble(item) {
    const found = [...this.log.querySelectorAll(".message.user")].find((one) => one.dataset.id === item.id);
    this.busy(1, item.id);
    if (found) return found;
    const made = this.messages.user(item.id, item.shown);
    this.log.append(made);
    return made;
  }

  busy(change, id) {
    this.pending = new Set(this.pending);
    if (change > 0) this.pending.add(id);
    else this.pending.delete(id);
    this.typing.hidden = !this.pending.size;
  }

  showHistory({ messages, consent_to_review: consent }) {
    this.log.setAttribute("aria-live", "off"); // a whole conversation need not be read out again
    this.log.replaceChildren();
    for (const message of messages) {
      if (message.author === "bot") {
        this.log.append(this.messages.bot(message));
        continue;
      }
      this.disableButtons();
      this.log.append(this.messages.user(message.id, message.text));
      if (message.state === "answered") this.outbox.drop(message.id);
      // The same id gets the answer as soon as there is one.
      else if (!this.outbox.has(message.id)) this.outbox.add({ id: message.id, shown: message.text, text: message.text });
    }
    for (const item of this.outbox.items) this.bubble(item).state("message.sending");
    this.consents(Boolean(consent));
    this.example(!this.log.querySelector(".message.user"));
    this.log.scrollTop = this.log.scrollHeight;
    requestAnimationFrame(() => this.log.setAttribute("aria-live", "polite"));
  }

  tell(key, buttonKey = null, onClick = null) {
    this.notice.replaceChildren(this.label("span", key));
    if (buttonKey) {
      const button = this.label("button", buttonKey, { type: "button" });
      button.addEventListener("click", onClick);
      this.notice.append(button);
    }
    this.notice.hidden = false;
  }

  quiet() {
    this.notice.hidden = true;
    this.notice.replaceChildren();
  }

  // ---------------------------------------------------------------- sending

  say(shown, inquiry) {
    this.quiet();
    this.disableButtons();
    const item = { id: newId(), shown, ...inquiry };
    this.bringIntoView(this.bubble(item));
    this.example(false);
    this.outbox.add(item);
  }

  choose(button, byKeyboard) {
    this.say(button.title, { button: button.id });
    // The button that had the focus is disabled now. On a phone the focus would open the keyboard, so not there.
    if (byKeyboard) this.input.focus();
  }

  submit() {
    const written = this.input.value.trim();
    if (!written || this.input.disabled) return;
    this.input.value = "";
    this.grow();
    this.say(written, { text: written });
  }

  // Tells the other tabs that there is something new.
  turned() { this.kept.set("turn", `${Date.now()}`); }

  answered(item, messages) {
    this.bubble(item).state(null);
    this.busy(-1, item.id);
    this.showAnswer(messages);
    this.turned();
  }

  waiting(item, error, first) {
    const node = this.bubble(item);
    this.busy(-1, item.id);
    const again = () => this.outbox.now();
    if (error.status === 0) node.state("message.waiting", "", again);
    else if (error.status === 503) {
      node.state("message.unanswered", "", again);
      if (first) this.showAnswer(error.messages ?? []); // whom to call in the meantime, said once
    } else node.state("message.failed", error.message, again);
  }

  refused(item, error) {
    this.bubble(item).state("message.failed", error.message);
    this.busy(-1, item.id);
    // What was written can be changed and sent again.
    if (item.text && !this.input.value) {
      this.input.value = item.text;
      this.grow();
    }
  }

  // ---------------------------------------------------------------- beginning and ending

  writable(yes) {
    for (const one of [this.input, this.send, this.startOverButton, this.deleteButton]) one.disabled = !yes;
  }

  ended(item = null) {
    if (item) this.bubble(item).state("message.failed");
    const unsent = this.outbox.items.filter((one) => one.text).map((one) => one.text).join("\n");
    this.over("action.ended");
    // What was written is not lost: it stands in the field of the next conversation.
    if (unsent && !this.input.value) this.input.value = unsent;
    this.grow();
  }

  over(key) {
    this.outbox.clear();
    this.api.kept.remove("token");
    this.kept.remove("consent");
    this.pending = new Set();
    this.typing.hidden = true;
    this.consents(false);
    this.disableButtons();
    if (key === "action.deleted") this.log.replaceChildren();
    this.writable(false);
    this.tell(key, "action.new", () => this.begin(this.speech.language));
  }

  async begin(wanted) {
    this.outbox.clear();
    this.kept.remove("consent");
    this.consents(false);
    this.quiet();
    this.writable(true);
    this.log.replaceChildren();
    this.example(true);
    this.busy(1, "start");
    try {
      const answer = await this.api.start(wanted);
      // Without scrolling: what the chat is and who runs it stays on the screen.
      for (const message of answer.messages) this.log.append(this.messages.bot(message));
      this.log.append(this.languageButtons());
      this.turned();
    } catch {
      this.tell("action.start_failed", "action.try_again", () => this.begin(wanted));
      this.emergency.open = true;
    } finally {
      this.busy(-1, "start");
    }
  }

  // At the beginning: every language in its own name, for those who cannot read the present one.
  languageButtons() {
    const list = element("ul", { class: "replies languages", "aria-label": this.text("language.choose"), "data-label": "language.choose" });
    for (const [code, name] of this.about.languages) {
      if (code === this.speech.language) continue;
      const button = element("button", { type: "button", lang: code }, name);
      button.addEventListener("click", () => this.changeLanguage(code));
      list.append(element("li", {}, button));
    }
    return list;
  }

  async resume() {
    try {
      this.showHistory(await this.api.read());
      this.writable(true);
      this.quiet();
      this.outbox.now();
      return true;
    } catch (error) {
      if (error.status === 401) return false;
      this.tell("action.start_failed", "action.try_again", () => this.resume());
      return true;
    }
  }

  confirmed(questionKey, yesKey) {
    const no = this.label("button", "action.cancel", { type: "button", id: "confirm-no" });
    const yes = this.label("button", yesKey, { type: "button", id: "confirm-yes", class: "danger" });
    const before = this.host.shadowRoot.activeElement;
    this.question.replaceChildren(this.label("p", questionKey, { id: "question-text" }), element("div", { class: "row" }, no, yes));
    this.question.hidden = false;
    no.focus();
    return new Promise((done) => {
      const answer = (value) => {
        this.question.hidden = true;
        before?.focus();
        done(value);
      };
      no.addEventListener("click", () => answer(false));
      yes.addEventListener("click", () => answer(true));
      this.question.addEventListener("keydown", (event) => {
        if (event.key !== "Escape" || this.question.hidden) return;
        event.stopPropagation();
        answer(false);
      });
    });
  }

  async startOver() {
    if (this.log.querySelector(".message.user")
      && !(await this.confirmed("action.confirm_start_over", "action.yes_start_over"))) return;
    // The old conversation is of no use to anybody; if it cannot be deleted now, it ends by itself.
    await this.api.remove().catch(() => {});
    await this.begin(this.speech.language);
    this.input.focus({ preventScroll: true });
  }

  async deleteAll() {
    if (!(await this.confirmed("action.confirm_delete", "action.yes_delete"))) return;
    try {
      await this.api.remove();
    } catch {
      this.tell("action.delete_failed", "action.try_again", () => this.deleteAll());
      return;
    }
    this.input.value = "";
    this.over("action.deleted");
    this.grow();
    this.notice.querySelector("button").focus();
  }

  grow() {
    this.input.style.blockSize = "auto";
    this.input.style.blockSize = `${this.input.scrollHeight + 2}px`;
    const left = this.about.message_limit - this.input.value.length;
    this.counter.hidden = left > 100;
    this.counter.textContent = left > 100 ? "" : this.text("chat.characters", { count: left });
  }
}
