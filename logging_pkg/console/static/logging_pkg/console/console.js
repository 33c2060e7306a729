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
  // Who reads or goes by keys stays where they are: the same element has the focus again, and everything its scroll.
  const FOCUSABLE = "a[href], button, input, select, [tabindex], [data-row]";
  let place = null;
  function name(element) {
    const told = "row" in element.dataset ? element.querySelector("[data-main]") ?? element : element;
    return [element.tagName, told.getAttribute("href"), told.getAttribute("aria-label"), told.textContent.trim()].join("|");
  }
  function placeOf(element) {
    const alike = [...live().querySelectorAll(FOCUSABLE)].filter((found) => name(found) === name(element));
    return { name: name(element), number: alike.indexOf(element) };
  }
  function at(kept) {
    const alike = [...live().querySelectorAll(FOCUSABLE)].filter((found) => name(found) === kept.name);
    return alike[kept.number] ?? alike[0] ?? null;
  }
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.target.id !== "live") return;
    const focused = document.activeElement;
    const marked = document.querySelector("#live [data-row].current");
    place = {
      focus: focused !== live() && live().contains(focused) ? placeOf(focused) : null,
      isLive: focused === live(),
      row: marked ? placeOf(marked) : null,
      page: [scrollX, scrollY],
      scrolled: [...live().querySelectorAll(".scroll")].map((found) => [found.getAttribute("aria-label"), found.scrollLeft]),
    };
  });
  function restore() {
    if (!place) return;
    for (const [label, left] of place.scrolled) {
      const found = [...live().querySelectorAll(".scroll")].find((one) => one.getAttribute("aria-label") === label);
      if (found) found.scrollLeft = left;
    }
    if (place.row) {
      const row = at(place.row);
      current = row ? rows().indexOf(row) : Math.min(current, rows().length - 1);
      mark();
    }
    const focused = place.isLive ? live() : place.focus && at(place.focus);
    if (focused) {
      if ("row" in focused.dataset) focused.tabIndex = -1;
      focused.focus({ preventScroll: true });
    }
    scrollTo(...place.page);
    place = null;
  }
  // Said once, when it is new: what is put into the page anew at each look would be said each time.
  function announce() {
    const said = document.getElementById("announce");
    const text = [...document.querySelectorAll("#live [data-announce]")].map((found) => found.textContent.trim()).join(" ");
    if (said.textContent !== text) said.textContent = text;
  }
  document.addEventListener("htmx:afterSwap", () => {
    document.getElementById("offline").hidden = true;
    showHold();
    restore();
    announce();
  });
  document.addEventListener("DOMContentLoaded", announce);
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

  const KEYS_OFF = "logpipe-keys-off";
  function areKeysOff() {
    try { return localStorage.getItem(KEYS_OFF) === "1"; } catch { return false; }
  }
  document.addEventListener("DOMContentLoaded", () => {
    const box = document.getElementById("keys-on");
    box.checked = !areKeysOff();
    box.addEventListener("change", () => {
      try { if (box.checked) localStorage.removeItem(KEYS_OFF); else localStorage.setItem(KEYS_OFF, "1"); } catch { /* private window */ }
    });
  });

  // ---- keys ----------------------------------------------------------------------------------------------------
  const rows = () => [...document.querySelectorAll("#live [data-row]")];
  function mark() {
    rows().forEach((row, index) => {
      row.classList.toggle("current", index === current);
      if (index === current) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
    });
  }
  function select(number) {
    const all = rows();
    if (!all.length) return;
    current = Math.max(0, Math.min(number, all.length - 1));
    mark();
    all[current].tabIndex = -1;
    all[current].focus({ preventScroll: true });
    all[current].scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("#live [data-row]");
    if (row && rows().indexOf(row) !== current) { current = rows().indexOf(row); mark(); }
  });
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
    z: () => rows()[current]?.querySelector("[data-zoom]")?.click(),
    Z: () => document.querySelector("[data-whole]")?.click(),
    Enter: () => rows()[current]?.querySelector("[data-main]")?.click(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || areKeysOff()) return;
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
