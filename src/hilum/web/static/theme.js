"use strict";
/* Runs before the first paint: the theme that was chosen here, else the system's. */
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  try {
    const chosen = localStorage.getItem("theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch { /* storage is forbidden here: the system's theme stays */ }
})();
