// Before the first paint, so that no page flashes in the other colours.
const kept = (() => { try { return localStorage.getItem("logpipe-theme"); } catch { return null; } })();
if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
