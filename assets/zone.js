// Asks for the page again in this browser's time zone, once, unless a zone was chosen. It runs before anything is drawn.
"use strict";
(() => {
  const hasZone = () => /(?:^|; )zone=/.test(document.cookie);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (hasZone() || !zone || zone === "UTC") return;
  const root = new URL(document.currentScript.dataset.root, location.href).pathname.replace(/(.)\/$/, "$1");
  document.cookie = `zone=${encodeURIComponent(zone)}; Path=${root}; SameSite=Lax`;
  if (hasZone()) location.reload();
})();
