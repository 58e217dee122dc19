// Opens the form behind a link that stops a run in a dialog. Without this script, and where anything fails, it is a page.
"use strict";
(() => {
  const isPlain = (event) => event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);

  // Links of that page lead on from there, and not from this one.
  const absolute = (part, base) => {
    for (const [selector, name] of [["a[href]", "href"], ["form[action]", "action"], ["use[href]", "href"]]) {
      for (const element of part.querySelectorAll(selector)) {
        const way = element.getAttribute(name);
        if (!way.startsWith("#")) element.setAttribute(name, new URL(way, base).href);
      }
    }
  };

  const open = async (link) => {
    const answer = await fetch(link.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = page.getElementById("stop");
    if (!answer.ok || !part) throw new Error("there is no form");
    absolute(part, answer.url);
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-labelledby", "stop-title");
    dialog.append(document.adoptNode(part));
    dialog.addEventListener("click", (event) => {
      // The ground around it is the dialog itself.
      if (event.target !== dialog && !event.target.closest("[data-close]")) return;
      event.preventDefault();
      dialog.close();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      // The row may have been drawn anew meanwhile.
      const again = link.isConnected ? link : [...document.links].find((other) => other.href === link.href);
      again?.focus();
    });
    document.body.append(dialog);
    dialog.showModal();
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href$='/stop']");
    if (!link || !isPlain(event) || link.target || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    open(link).catch(() => location.assign(link.href));
  });
})();
