// What a website loads: the button that opens the chat. Everything else comes when it is opened.
// docs/widget.md lists the attributes, methods and events.
(() => {
  const SERVED = "@served@"; // version, languages and the texts of the button, filled in by the server
  const script = document.currentScript;
  const HOME = new URL(".", script.src);
  const file = (name) => new URL(`static/${SERVED.version}/${name}`, HOME);

  // Private windows and some settings refuse the storage: then the conversation ends with the page.
  const memory = new Map();
  const storage = (kind) => ({
    get(key) {
      try { return window[kind].getItem(`lotse.${key}`); } catch (error) { return memory.get(key) ?? null; }
    },
    set(key, value) {
      try { window[kind].setItem(`lotse.${key}`, value); } catch (error) { memory.set(key, value); }
    },
    remove(key) {
      memory.delete(key);
      try { window[kind].removeItem(`lotse.${key}`); } catch (error) { /* there is nothing to remove */ }
    },
  });
  const kept = storage("localStorage"); // all tabs of this website: the conversation
  const tab = storage("sessionStorage"); // this tab: whether the chat is open

  const spoken = (code) => SERVED.languages.find((one) => one === String(code ?? "").toLowerCase().split("-")[0]);

  // ---------------------------------------------------------------- a colour that can be read

  function channels(color) {
    const context = document.createElement("canvas").getContext("2d");
    context.fillStyle = "#0b5c6b";
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  }

  function luminance(rgb) {
    const [red, green, blue] = rgb.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  function contrast(one, other) {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  }

  // Moves a colour towards black or white until letters in it can be read on the ground (WCAG: 4.5, with a reserve).
  function readable(rgb, ground, towards) {
    let found = rgb;
    for (let step = 0; contrast(found, ground) < 5.5 && step < 40; step += 1) {
      found = found.map((value) => Math.round(value + (towards - value) * 0.08));
    }
    return found;
  }

  function paint(style, color) {
    const rgb = channels(color);
    const light = readable(rgb, [225, 239, 242], 0);
    const dark = readable(rgb, [29, 58, 66], 255);
    style.setProperty("--accent-on-light", `rgb(${light.join(" ")})`);
    style.setProperty("--accent-on-dark", `rgb(${dark.join(" ")})`);
  }

  // ---------------------------------------------------------------- the element

  const LAUNCHER = `
    :host { --accent: var(--lotse-color, var(--accent-on-light, #0b5c6b)); display: block; }
    :host([hidden]) { display: none; }
    .corner { position: fixed; z-index: var(--lotse-layer, 2147483000); inset-block-end: 1rem; right: 1rem; max-inline-size: calc(100vw - 2rem);
      display: flex; flex-direction: column; gap: 0.5rem; font: 16px/1.4 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
    .corner[data-side="left"] { right: auto; left: 1rem; }
    .launcher { min-block-size: 48px; padding: 10px 20px; border: 2px solid #fff; border-radius: 24px; background: var(--accent); color: #fff; font: inherit;
      font-weight: 600; cursor: pointer; box-shadow: 0 2px 8px rgb(0 0 0 / 35%); }
    .launcher:focus-visible { outline: 3px solid #b3560b; outline-offset: 3px; }
    .greeting { margin: 0; padding: 8px 14px; border-radius: 12px; background: #fff; color: #16242b; box-shadow: 0 2px 8px rgb(0 0 0 / 35%); max-inline-size: 18rem; }
    .failed { margin: 0; padding: 8px 14px; border-radius: 12px; background: #fdecec; color: #a4161a; font-weight: 600; }
    [hidden] { display: none !important; }
    @media (forced-colors: active) { .launcher { border: 2px solid ButtonText; } }`;

  class LotseChat extends HTMLElement {
    static get observedAttributes() { return ["color", "language"]; }

    connectedCallback() {
      if (this.shadowRoot) return;
      this.attachShadow({ mode: "open" });
      this.style_(LAUNCHER);
      if (this.getAttribute("color")) paint(this.style, this.getAttribute("color"));
      this.language = this.firstLanguage();
      this.setAttribute("data-ready", "");
      if (this.hasAttribute("inline")) {
        this.open({ focus: false });
        return;
      }
      this.makeLauncher();
      const before = tab.get("open");
      if (before === "yes" || (before === null && this.hasAttribute("open"))) this.open({ focus: false });
    }

    attributeChangedCallback(name, before, value) {
      if (!this.shadowRoot || before === value) return;
      if (name === "color" && value) paint(this.style, value);
      if (name === "language" && spoken(value)) this.setLanguage(value);
    }

    // The person's own choice wins, then the website's wish, then the browser's languages, then the page's.
    firstLanguage() {
      const wish = spoken(this.getAttribute("language"));
      const own = this.hasAttribute("language-fixed") ? null : spoken(kept.get("language"));
      this.languageChosen = Boolean(own || wish);
      return own ?? wish ?? [...(navigator.languages ?? []), document.documentElement.lang].map(spoken).find(Boolean) ?? "de";
    }

    style_(css) {
      // Not inline: a website's policy may forbid that. Older browsers have no other way.
      try {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(css);
        this.shadowRoot.adoptedStyleSheets = [...this.shadowRoot.adoptedStyleSheets, sheet];
      } catch (error) {
        const style = document.createElement("style");
        style.textContent = css;
        this.shadowRoot.append(style);
      }
    }

    makeLauncher() {
      // dir: what the website wrote may be in another language than the chat.
      const make = (name, kind) => Object.assign(document.createElement(name), { className: kind, dir: "auto" });
      this.corner = make("div", "corner");
      this.corner.setAttribute("role", "region"); // a place that screen readers can jump to
      this.corner.dataset.side = this.getAttribute("position") === "left" ? "left" : "right";
      this.greeting = make("p", "greeting");
      this.failed = make("p", "failed");
      this.failed.setAttribute("role", "alert");
      this.launcher = make("button", "launcher");
      this.launcher.type = "button";
      this.launcher.setAttribute("aria-expanded", "false");
      this.launcher.addEventListener("click", () => this.toggle());
      this.corner.append(this.greeting, this.failed, this.launcher);
      this.shadowRoot.append(this.corner);
      this.greeting.textContent = this.getAttribute("greeting") ?? "";
      this.greeting.hidden = !this.greeting.textContent;
      this.failed.hidden = true;
      this.nameLauncher();
    }

    nameLauncher() {
      if (!this.launcher) return;
      this.corner.lang = this.language;
      this.corner.dir = SERVED.right_to_left.includes(this.language) ? "rtl" : "ltr";
      this.launcher.textContent = this.getAttribute("heading") || SERVED.open[this.language];
      this.corner.setAttribute("aria-label", this.launcher.textContent);
    }

    emit(name, detail = {}) {
      this.dispatchEvent(new CustomEvent(`lotse:${name}`, { detail, bubbles: true, composed: true }));
    }

    get isOpen() { return Boolean(this.panel?.shown); }

    async open({ focus = true } = {}) {
      if (this.isOpen || this.opening) return;
      this.opening = true;
      try {
        if (!this.panel) {
          // All at once: on a slow line each round trip counts.
          const load = (path, kind) => fetch(path, { credentials: "omit" }).then((answer) => (answer.ok ? answer[kind]() : Promise.reject(answer.status)));
          const [{ Panel }, css, texts] = await Promise.all([
            import(file("chat.js")), load(file("chat.css"), "text"), load(new URL(`texts/${this.language}.json`, HOME), "json"),
          ]);
          this.style_(css);
          this.panel = new Panel(this, { home: HOME, kept, texts, right_to_left: SERVED.right_to_left });
          this.shadowRoot.append(this.panel.element);
        }
        if (this.launcher) {
          this.launcher.setAttribute("aria-expanded", "true");
          this.corner.hidden = true;
          this.failed.hidden = true;
          tab.set("open", "yes");
        }
        this.panel.show(focus);
        this.emit("open");
      } catch (error) {
        console.warn("Lotse: the chat cannot be loaded.", error);
        if (this.failed) {
          this.failed.textContent = SERVED.failed[this.language];
          this.failed.hidden = false;
        } else {
          this.shadowRoot.append(Object.assign(document.createElement("p"), { className: "failed", textContent: SERVED.failed[this.language] }));
        }
      } finally {
        this.opening = false;
      }
    }

    close() {
      if (!this.isOpen || !this.launcher) return;
      this.panel.hide();
      this.corner.hidden = false;
      this.launcher.setAttribute("aria-expanded", "false");
      this.launcher.focus();
      tab.set("open", "no");
      this.emit("close");
    }

    toggle() { return this.isOpen ? this.close() : this.open(); }

    async setLanguage(code) {
      const wanted = spoken(code);
      if (!wanted || wanted === this.language) return;
      if (this.panel) await this.panel.changeLanguage(wanted);
      else this.speaks(wanted);
    }

    // Called by the panel when the language has changed.
    speaks(code) {
      this.language = code;
      this.languageChosen = true;
      kept.set("language", code);
      this.nameLauncher();
      this.emit("language", { language: code });
    }
  }

  if (!customElements.get("lotse-chat")) customElements.define("lotse-chat", LotseChat);

  function place() {
    const { target, language, ...data } = script.dataset;
    if (script.dataset.element === "none") return; // the page has a <lotse-chat> of its own
    const chat = document.createElement("lotse-chat");
    const names = { title: "heading", color: "color", position: "position", greeting: "greeting", open: "open", languageFixed: "language-fixed", headingLevel: "heading-level" };
    if (language && language !== "auto") chat.setAttribute("language", language);
    for (const [key, name] of Object.entries(names)) if (data[key] !== undefined && data[key] !== "false") chat.setAttribute(name, data[key]);
    const where = target && document.querySelector(target);
    if (target && !where) console.warn(`Lotse: there is no element ${target} on this page.`);
    if (where) chat.setAttribute("inline", "");
    (where || document.body).append(chat);
    window.Lotse = { element: chat, open: () => chat.open(), close: () => chat.close(), toggle: () => chat.toggle(), setLanguage: (code) => chat.setLanguage(code) };
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", place);
  else place();
})();
