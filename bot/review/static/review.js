// Keyboard shortcuts. Everything works without this file; it only makes it quicker.
// An element with data-key="n" is pressed (or focused, with data-key-focus) by that key; "?" shows them all.
"use strict";
(() => {
  const dialog = document.getElementById("keys");
  const opener = document.querySelector("[data-keys-open]");
  const shown = (element) => element.checkVisibility ? element.checkVisibility() : true;
  const keyed = () => [...document.querySelectorAll("[data-key]")].filter(shown);

  const name = (element) => element.dataset.keyLabel || element.getAttribute("aria-label") || element.textContent.trim();

  const showKeys = () => {
    const list = dialog.querySelector("dl");
    list.replaceChildren();
    const seen = new Set();
    for (const element of keyed()) {
      if (seen.has(element.dataset.key)) continue;
      seen.add(element.dataset.key);
      const key = document.createElement("dt");
      key.append(Object.assign(document.createElement("kbd"), { textContent: element.dataset.key }));
      list.append(key, Object.assign(document.createElement("dd"), { textContent: name(element) }));
    }
    if (!seen.size) list.append(Object.assign(document.createElement("dd"), { textContent: dialog.dataset.none }));
    dialog.showModal();
  };

  if (opener && dialog.showModal) {
    opener.hidden = false;
    opener.addEventListener("click", showKeys);
  }

  document.addEventListener("keydown", (event) => {
    const writing = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
    if (writing || event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    if (event.key === "?") {
      event.preventDefault();
      showKeys();
      return;
    }
    const element = keyed().find((one) => one.dataset.key === event.key);
    if (!element) return;
    event.preventDefault();
    if ("keyFocus" in element.dataset) element.focus();
    else element.click();
  });

  // "Select all" boxes of lists.
  for (const all of document.querySelectorAll("[data-select-all]")) {
    all.hidden = false;
    all.addEventListener("change", () => {
      for (const box of document.querySelectorAll(`input[name="${all.dataset.selectAll}"]`)) box.checked = all.checked;
    });
  }

  // Forms that can be sent by choosing: their button is there for whoever has no script.
  for (const form of document.querySelectorAll("form[data-auto-submit]")) {
    form.addEventListener("change", () => form.requestSubmit());
  }

  // What was done is said once: a reload should not say it again.
  const here = new URL(location.href);
  if (here.searchParams.has("done")) {
    here.searchParams.delete("done");
    history.replaceState(null, "", here);
  }
})();
