// Light or dark, before the first paint: as the system says, unless one was chosen.
"use strict";
(() => {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const apply = () => {
    root.dataset.theme = chosen() || (dark.matches ? "dark" : "light");
    document.dispatchEvent(new Event("recoloured"));
  };
  root.classList.add("js");
  apply();
  dark.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const names = { "": "◐ Auto", light: "○ Light", dark: "● Dark" };
    const show = () => { button.textContent = names[chosen() || ""]; };
    button.hidden = false;
    show();
    button.addEventListener("click", () => {
      const next = { "": "light", light: "dark", dark: "" }[chosen() || ""];
      try { next ? localStorage.setItem("theme", next) : localStorage.removeItem("theme"); } catch { /* not kept */ }
      apply();
      show();
    });
  });
})();
