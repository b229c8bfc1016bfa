// Content and output on top of each other, with an edge that is moved by pointer or keys.
"use strict";
(() => {
  const set_up = () => {
    for (const compare of document.querySelectorAll("[data-compare]")) {
      const input = compare.querySelector("input"), before = compare.querySelector(".before");
      let edge = compare.querySelector(".edge");
      if (!edge) { edge = document.createElement("span"); edge.className = "edge"; compare.append(edge); }
      const show = () => {
        before.style.clipPath = `inset(0 ${100 - input.value}% 0 0)`;
        edge.style.left = `${input.value}%`;
      };
      if (!compare.ready) { compare.ready = true; input.addEventListener("input", show); }
      show();
    }
  };
  document.addEventListener("refreshed", set_up);
  set_up();
})();
