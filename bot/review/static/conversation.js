// Steps from message to message. Without this file the page lacks nothing but these two keys.
"use strict";
(() => {
  const turns = [...document.querySelectorAll(".turns > .turn")];
  const steps = [...document.querySelectorAll("[data-step]")];
  if (!turns.length) return;
  // Where the reader is: at the message that has the focus or is the target of the address, else at the first one in sight.
  const present = () => {
    const focused = document.activeElement.closest(".turn") ?? document.querySelector(".turn:target");
    return focused ? turns.indexOf(focused) : turns.findIndex((one) => one.getBoundingClientRect().bottom > 80) - 1;
  };
  for (const button of steps) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const next = Math.min(Math.max(present() + Number(button.dataset.step), 0), turns.length - 1);
      turns[next].focus({ preventScroll: true });
      turns[next].scrollIntoView({ block: "nearest" });
    });
  }
})();
