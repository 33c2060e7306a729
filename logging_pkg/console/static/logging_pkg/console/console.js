// Keys, copying, choosing, and when a page may look again. In: events of the page. Out: clicks, one setting in localStorage.
// Never: data of its own, a request that HTMX does not make.
(() => {
  "use strict";
  const root = document.documentElement;
  const live = () => document.getElementById("live");
  let held = false, current = -1, prefix = 0;

  // ---- looking again -------------------------------------------------------------------------------------------
  // What somebody reads is not replaced under their eyes, and a page nobody looks at asks nothing.
  function isBusy() {
    const selected = getSelection();
    return document.querySelector("#live :popover-open, #live details[open]") !== null
      || (selected && !selected.isCollapsed && live().contains(selected.anchorNode))
      || (live().contains(document.activeElement) && document.activeElement.matches("input"));
  }
  function hold(value) {
    held = value;
    document.body.classList.toggle("held", held);
    showHold();
  }
  function showHold() {
    const button = document.getElementById("hold");
    if (!button) return;
    button.textContent = held ? "held: go on" : "hold";
    button.setAttribute("aria-pressed", String(held));
  }
  function lookAgain() { htmx.trigger(live(), "look"); }

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.id !== "live") return;
    const isAsked = event.detail.requestConfig.triggeringEvent?.type === "look";
    if (!isAsked && (held || document.hidden || isBusy())) {
      event.preventDefault();
      // One that was to come soon would not come by itself again.
      if (live().dataset.state === "waiting") setTimeout(lookAgain, 2000);
    }
  });
  document.addEventListener("htmx:afterSwap", () => {
    document.getElementById("offline").hidden = true;
    showHold();
    if (current >= 0) select(current, false);
  });
  for (const trouble of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(trouble, () => {
      document.getElementById("offline").hidden = false;
      if (live().dataset.state === "waiting") setTimeout(lookAgain, 5000);
    });
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !held && !isBusy()) lookAgain(); });

  // ---- theme, copying, choosing --------------------------------------------------------------------------------
  function nextTheme() {
    const next = { undefined: "light", light: "dark", dark: undefined }[root.dataset.theme];
    if (next) root.dataset.theme = next; else delete root.dataset.theme;
    try { if (next) localStorage.setItem("logpipe-theme", next); else localStorage.removeItem("logpipe-theme"); } catch { /* private window */ }
    document.dispatchEvent(new CustomEvent("logpipe:theme"));
  }
  async function copy(text, button) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without TLS there is no clipboard: select it, so that one key copies it.
      const code = button.closest(".pop, dd")?.querySelector("code");
      if (code) getSelection().selectAllChildren(code);
      button.textContent = "selected";
      return;
    }
    const was = button.textContent;
    button.textContent = "copied";
    setTimeout(() => { button.textContent = was; }, 1500);
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.id === "theme") nextTheme();
    if (button.id === "hold") hold(!held);
    if ("copy" in button.dataset) copy(button.parentElement.previousElementSibling.textContent, button);
    if ("copyText" in button.dataset) copy(button.dataset.copyText, button);
  });
  document.addEventListener("change", (event) => {
    if (event.target.closest(".choose")) event.target.form.requestSubmit();
  });
  document.addEventListener("submit", (event) => {
    // Addresses say what was chosen, and nothing that was not.
    for (const field of event.target.querySelectorAll("input[name], select[name]")) {
      if (!field.value || (field.name === "range" && field.value === "1h")) field.disabled = true;
    }
    setTimeout(() => event.target.querySelectorAll(":disabled").forEach((field) => { field.disabled = false; }), 0);
  });

  // ---- keys ----------------------------------------------------------------------------------------------------
  const rows = () => [...document.querySelectorAll("#live [data-row]")];
  function select(place, isMoved = true) {
    const all = rows();
    if (!all.length) return;
    current = Math.max(0, Math.min(place, all.length - 1));
    all.forEach((row, index) => row.classList.toggle("current", index === current));
    if (isMoved) all[current].scrollIntoView({ block: "nearest" });
  }
  function follow(key) {
    const link = [...document.querySelectorAll(".menu [data-key]")].find((found) => found.dataset.key === key);
    if (link) link.click();
  }
  const actions = {
    "/": () => { const field = document.getElementById("find"); field.focus(); field.select(); },
    "?": () => document.getElementById("keys").togglePopover(),
    j: () => select(current + 1),
    k: () => select(current - 1),
    r: lookAgain,
    " ": () => hold(!held),
    d: nextTheme,
    Enter: () => rows()[current]?.querySelector("[data-main]")?.click(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (target.matches("input, select, textarea")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if ((event.key === "Enter" || event.key === " ") && target.matches("a, button, summary")) return;
    if (prefix) {
      clearTimeout(prefix);
      prefix = 0;
      follow(event.key);
      event.preventDefault();
    } else if (event.key === "g") {
      prefix = setTimeout(() => { prefix = 0; }, 1500);
    } else if (Object.hasOwn(actions, event.key)) {
      actions[event.key]();
      event.preventDefault();
    }
  });
})();
