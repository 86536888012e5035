/* The rule form, live: what is typed is restated in plain words and tried on an order.
   The server does all of it; this asks, at rest, and shows the newest answer. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const restated = document.getElementById("restated");
  if (!restated) return;
  const rule = document.getElementById("rule_form");
  const trial = document.getElementById("trial-form");
  const words = document.getElementById("restated-words");
  const lines = document.getElementById("trial-lines");
  const silent = document.getElementById("restated-silent");
  const rest = 350; // milliseconds
  let waiting, asked;

  function typed() {
    const all = new FormData(rule);
    for (const [name, value] of new FormData(trial)) all.append(name, value);
    return all;
  }

  async function ask() {
    asked?.abort();
    asked = new AbortController();
    try {
      const answer = await fetch(restated.dataset.url, {
        method: "POST",
        body: typed(),
        signal: asked.signal,
      });
      if (!answer.ok) throw new Error(answer.statusText);
      show(await answer.json());
      silent.hidden = true;
    } catch (error) {
      if (error.name !== "AbortError") silent.hidden = false;
    }
  }

  // Unchanged words are left alone, so that a screen reader says them once.
  function show(said) {
    if (words.dataset.shown !== said.words) words.innerHTML = said.words;
    words.dataset.shown = said.words;
    lines.innerHTML = said.lines;
    for (const place of rule.querySelectorAll("[data-counted-in]"))
      place.textContent = said.counted_in[place.dataset.countedIn] || "";
  }

  function soon() {
    clearTimeout(waiting);
    waiting = setTimeout(ask, rest);
  }

  function insert(text) {
    const field = document.getElementById("id_expression");
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  // Lists to choose from tell their changes to jQuery alone.
  django.jQuery(rule).add(trial).on("input change", soon);
  trial.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  rule.addEventListener("click", (event) => {
    const button = event.target.closest("[data-insert]");
    if (button) insert(button.dataset.insert);
  });
  ask();
});
