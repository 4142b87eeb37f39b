// The chat page: what happens when. Requests are in api.js, elements in render.js.
import * as api from "./api.js";
import { botMessage, element, label, language, speak, text, userMessage } from "./render.js";

const $ = (id) => document.getElementById(id);
const log = $("log");
const input = $("input");
const form = $("form");
const notice = $("notice");
const operator = document.body.dataset.operator;
// One message after the other: the next one waits for the answer to the one before.
let queue = Promise.resolve();
let pending = 0;
// Counts the conversations of this page: an answer that arrives after a new start belongs nowhere.
let era = 0;

// ---------------------------------------------------------------- the page in another language

async function loadTexts(wanted) {
  const speech = await api.texts(wanted);
  speak(speech);
  document.documentElement.lang = speech.language;
  document.documentElement.dir = speech.direction;
  document.title = text("page.title");
  for (const node of document.querySelectorAll("[data-text]")) {
    node.textContent = text(node.dataset.text, { operator });
  }
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", text(node.dataset.label));
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = text(node.dataset.placeholder);
  document.querySelector(".emergency .also")?.toggleAttribute("hidden", speech.language === "en");
  $("contacts").replaceChildren(...speech.contacts.map((contact) => element("li", {},
    element("span", {}, contact.name),
    element("span", { class: "numbers" }, ...contact.phones.map((phone) =>
      element("a", { href: `tel:${phone.number}` }, element("bdi", {}, phone.text)))))));
  $("language").value = speech.language;
  grow();
}

async function changeLanguage(wanted) {
  try {
    await loadTexts(wanted);
  } catch {
    $("language").value = language();
    return;
  }
  api.storage.set("lotse.language", wanted);
  const address = new URL(location.href);
  address.searchParams.set("language", wanted);
  history.replaceState(null, "", address);
  if (!api.token()) return;
  const now = era;
  try {
    const answer = await api.change({ language: wanted });
    if (now === era) showAnswer(answer.messages);
  } catch (error) {
    if (error.status === 401) ended();
    // Otherwise the page speaks the new language; the guide will with the next message.
  }
}

// ---------------------------------------------------------------- showing

function bringIntoView(node) {
  // The beginning of an answer, not its end: long lists of offices would start above the screen.
  const scrolls = getComputedStyle(log).overflowY === "auto";
  if (scrolls) log.scrollTop = Math.min(node.offsetTop - 12, log.scrollHeight);
  else node.scrollIntoView({ block: "start" });
}

function disableButtons() {
  for (const button of log.querySelectorAll(".replies button")) button.disabled = true;
}

function showBot(message) {
  const made = botMessage(message, { onChoose: choose, onFeedback: opinion });
  log.append(made);
  return made;
}

function showAnswer(messages) {
  const made = messages.map(showBot);
  if (made.length) bringIntoView(made[0]);
}

// The example in the empty field is for the beginning; later it only takes room on a small screen.
function example(wanted) {
  if (wanted) input.dataset.placeholder = "chat.placeholder";
  else delete input.dataset.placeholder;
  input.placeholder = wanted ? text("chat.placeholder") : "";
  grow();
}

function showHistory(messages) {
  log.setAttribute("aria-live", "off"); // a whole conversation need not be read out again
  log.replaceChildren();
  for (const message of messages) {
    if (message.author === "bot") {
      showBot(message);
      continue;
    }
    disableButtons();
    example(false);
    const mine = userMessage(message.text);
    log.append(mine.element);
    if (message.state !== "answered") {
      const inquiry = { id: message.id, text: message.text };
      // Still being worked on: the same id gets the answer as soon as there is one.
      if (message.state === "processing") deliver(mine, inquiry);
      else mine.show("message.failed", "", () => deliver(mine, inquiry));
    }
  }
  log.scrollTop = log.scrollHeight;
  if (log.lastElementChild && getComputedStyle(log).overflowY !== "auto") log.lastElementChild.scrollIntoView();
  requestAnimationFrame(() => log.setAttribute("aria-live", "polite"));
}

function typing(change) {
  pending = Math.max(0, pending + change);
  $("typing").hidden = pending === 0;
}

function tell(key, buttonKey = null, onClick = null) {
  notice.replaceChildren(label("span", key));
  if (buttonKey) {
    const button = label("button", buttonKey, { type: "button" });
    button.addEventListener("click", onClick);
    notice.append(button);
  }
  notice.hidden = false;
}

function quiet() {
  notice.hidden = true;
  notice.replaceChildren();
}

// ---------------------------------------------------------------- sending

function deliver(mine, inquiry) {
  const now = era;
  mine.show("message.sending");
  typing(1);
  queue = queue.then(async () => {
    if (now !== era) return;
    try {
      const answer = await api.send(inquiry);
      if (now !== era) return;
      mine.show(null);
      showAnswer(answer.messages);
    } catch (error) {
      if (now === era) failed(mine, inquiry, error);
    } finally {
      if (now === era) typing(-1);
    }
  });
}

function failed(mine, inquiry, error) {
  const retry = () => deliver(mine, inquiry);
  if (error.status === 401) {
    mine.show("message.failed");
    ended();
  } else if (error.status === 503) {
    mine.show("message.failed", "", retry);
    showAnswer(error.messages ?? []);
  } else if (error.status === 0) {
    mine.show("message.failed", text("message.offline"), retry);
  } else if (error.status >= 400 && error.status < 500 && error.status !== 429 && error.status !== 409) {
    // Sending the same again would not help; what was written can be changed.
    mine.show("message.failed", error.message);
    if (inquiry.text && !input.value) input.value = inquiry.text;
  } else {
    mine.show("message.failed", error.message, retry);
  }
}

function say(shown, inquiry) {
  disableButtons();
  example(false);
  const mine = userMessage(shown);
  log.append(mine.element);
  bringIntoView(mine.element);
  deliver(mine, { id: api.newId(), ...inquiry });
}

function choose(button, byKeyboard) {
  say(button.title, { button: button.id });
  // The button that had the focus is disabled now. On a phone the focus would open the keyboard, so not there.
  if (byKeyboard) input.focus();
}

async function opinion(messageId, helpful) {
  try {
    await api.feedback(messageId, helpful);
    return true;
  } catch {
    return false;
  }
}

// ---------------------------------------------------------------- beginning and ending

function writable(yes) {
  for (const one of [input, $("send")]) one.disabled = !yes;
}

function ended() {
  era += 1;
  typing(-pending);
  api.storage.remove("lotse.token");
  disableButtons();
  writable(false);
  tell("action.ended", "action.new", () => begin(language()));
}

async function begin(wanted, focus = true) {
  era += 1;
  queue = Promise.resolve();
  pending = 0;
  quiet();
  writable(true);
  example(true);
  log.replaceChildren();
  typing(1);
  try {
    const answer = await api.start(wanted);
    // Without scrolling: what the page is and who runs it stays on the screen.
    answer.messages.map(showBot);
    if (focus) input.focus({ preventScroll: true });
  } catch {
    tell("action.start_failed", "action.try_again", () => begin(wanted));
    $("emergency").open = true;
  } finally {
    typing(-1);
  }
}

async function resume() {
  try {
    const answer = await api.read();
    showHistory(answer.messages);
    return true;
  } catch (error) {
    if (error.status === 401) return false;
    tell("action.start_failed", "action.try_again", () => location.reload());
    return true;
  }
}

function confirmed(questionKey, yesKey) {
  const dialog = $("confirm");
  $("confirm-question").textContent = text(questionKey);
  $("confirm-yes").textContent = text(yesKey);
  dialog.returnValue = "";
  dialog.showModal();
  $("confirm-no").focus();
  return new Promise((done) => {
    dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true });
  });
}

async function startOver() {
  if (log.querySelector(".message.user")
    && !(await confirmed("action.confirm_start_over", "action.yes_start_over"))) return;
  // The old conversation is of no use to anybody; if it cannot be deleted now, it ends by itself.
  await api.remove().catch(() => {});
  await begin(language());
}

async function deleteAll() {
  if (!(await confirmed("action.confirm_delete", "action.yes_delete"))) return;
  try {
    await api.remove();
  } catch {
    tell("action.delete_failed", "action.try_again", deleteAll);
    return;
  }
  era += 1;
  typing(-pending);
  log.replaceChildren();
  input.value = "";
  writable(false);
  tell("action.deleted", "action.new", () => begin(language()));
}

// ---------------------------------------------------------------- wiring

function submit() {
  const written = input.value.trim();
  if (!written || input.disabled) return;
  input.value = "";
  grow();
  say(written, { text: written });
}

function grow() {
  input.style.blockSize = "auto";
  input.style.blockSize = `${input.scrollHeight + 2}px`;
  const left = input.maxLength - input.value.length;
  $("counter").hidden = left > 100;
  $("counter").textContent = left > 100 ? "" : text("chat.characters", { count: left });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
input.addEventListener("input", grow);
input.addEventListener("keydown", (event) => {
  // isComposing: Enter also ends the choice of a character in some keyboards.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  }
});
$("language").addEventListener("change", (event) => changeLanguage(event.target.value));
$("start-over").addEventListener("click", startOver);
$("delete").addEventListener("click", deleteAll);
$("confirm-yes").addEventListener("click", () => $("confirm").close("yes"));
$("confirm-no").addEventListener("click", () => $("confirm").close("no"));

async function main() {
  const { language: shown, languageChosen } = document.body.dataset;
  const remembered = api.storage.get("lotse.language");
  const first = languageChosen === "true" || !remembered ? shown : remembered;
  await loadTexts(first).catch(() => loadTexts(shown));
  if (api.token() && (await resume())) return;
  // Not the focus: whoever listens to the page should hear first what it is.
  await begin(languageChosen === "true" || remembered ? first : null, false);
}

main().catch(() => tell("action.start_failed"));
