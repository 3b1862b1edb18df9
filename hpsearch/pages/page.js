"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const plots = [];
  let chosen = null; // by the button; the system's until then

  const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  function inks() {
    return {
      "font.color": color("--ink"),
      "hoverlabel.bgcolor": color("--raised"),
      "hoverlabel.font.color": color("--ink"),
      "modebar.color": color("--soft"),
      "modebar.bgcolor": "rgba(0,0,0,0)",
    };
  }

  function show(theme) {
    root.dataset.theme = theme;
    button.textContent = theme === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-pressed", String(theme === "dark"));
    button.setAttribute("aria-label", `Change to ${theme === "dark" ? "light" : "dark"} colours`);
    for (const plot of plots) Plotly.relayout(plot, inks());
  }

  const current = () => chosen ?? (system.matches ? "dark" : "light");

  show(current());
  const contents = document.getElementById("contents");
  if (contents) contents.open = window.matchMedia("(min-width: 68rem)").matches;

  function draw(data) {
    const plot = document.getElementById(data.dataset.for);
    const { data: traces, layout } = JSON.parse(data.textContent);
    const options = { responsive: true, displaylogo: false, displayModeBar: "hover" };
    Plotly.newPlot(plot, traces, layout, options).then(() => {
      plots.push(plot);
      Plotly.relayout(plot, inks());
    });
  }

  for (const data of document.querySelectorAll("script[data-for]")) {
    const folded = data.closest("details:not([open])"); // without a width to draw in
    if (folded) folded.addEventListener("toggle", () => draw(data), { once: true });
    else draw(data);
  }

  function unfold() {
    const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const folded = place?.closest("details");
    if (folded) folded.open = true;
  }

  unfold();
  window.addEventListener("hashchange", unfold);
  button.addEventListener("click", () => {
    chosen = current() === "dark" ? "light" : "dark";
    show(chosen);
  });
  system.addEventListener("change", () => show(current()));
  window.addEventListener("beforeprint", () => show("light"));
  window.addEventListener("afterprint", () => show(current()));
})();
