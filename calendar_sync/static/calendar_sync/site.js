// Says so when an HTMX request fails; otherwise a click would seem to do nothing.
(() => {
  const failure = () => document.getElementById("failure");
  const show = (text) => {
    const box = failure();
    box.textContent = text;
    box.hidden = false;
  };
  document.addEventListener("htmx:responseError", (event) => show(`The server answered ${event.detail.xhr.status}. Please try again.`));
  document.addEventListener("htmx:sendError", () => show("The server cannot be reached. Please try again."));
  document.addEventListener("htmx:beforeRequest", () => { failure().hidden = true; });
})();
