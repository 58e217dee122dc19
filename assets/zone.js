// Keeps this browser's time zone for the pages, unless one is kept, and asks for the page again if it was drawn in another.
// It is only in pages that were asked for without a zone, and runs before anything is drawn.
"use strict";
(() => {
  const hasZone = () => /(?:^|; )zone=/.test(document.cookie);
  if (hasZone()) return;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone) return;
  const root = new URL(document.currentScript.dataset.root, location.href).pathname.replace(/(.)\/$/, "$1");
  document.cookie = `zone=${encodeURIComponent(zone)}; Path=${root}; SameSite=Lax`;
  if (hasZone() && zone !== "UTC") location.reload();
})();
