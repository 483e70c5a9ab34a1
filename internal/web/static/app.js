// Makes the pages livelier. All of them work without it.
"use strict";

// Copying and saving need script, so their buttons appear with it.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
for (const button of document.querySelectorAll("[data-save]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([button.dataset.text + "\n"], { type: "text/plain" }));
    link.download = button.dataset.save;
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

// Times go on while a page is open. When what a time waits for is due, the page around it hears of it and looks again.
const parts = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const words = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });
function tick() {
  for (const time of document.querySelectorAll("time[datetime]:not([data-fixed])")) {
    const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
    const [unit, size] = parts.find(([, size]) => Math.abs(seconds) >= size) ?? parts[3];
    const due = "due" in time.dataset;
    if (due && seconds <= 0 && !(Date.now() - time.told < 5000)) {
      time.told = Date.now();
      time.dispatchEvent(new Event("due", { bubbles: true }));
    }
    const text = due && seconds < 1 ? "due now" : Math.abs(seconds) < 1 ? "just now" : words.format(Math.trunc(seconds / size), unit);
    if (time.textContent !== text) time.textContent = text;
  }
}
tick();
setInterval(tick, 1000);

// A list that things are put into while one looks keeps its newest, and tells what else shows them.
for (const list of document.querySelectorAll("[data-most]")) {
  new MutationObserver(() => {
    while (list.children.length > Number(list.dataset.most)) list.lastElementChild.remove();
    list.dispatchEvent(new Event("moved"));
  }).observe(list, { childList: true });
}

// What scrolls by itself can be reached by keys: not every browser sees to that.
const scrolled = new ResizeObserver((all) => {
  for (const { target } of all) {
    const more = target.scrollWidth > target.clientWidth || target.matches("pre") && target.scrollHeight > target.clientHeight;
    if (more) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const part of document.querySelectorAll(".wide, pre")) scrolled.observe(part);

// A menu closes when one goes elsewhere.
document.addEventListener("click", (event) => {
  for (const pop of document.querySelectorAll(".pop[open]")) if (!pop.contains(event.target)) pop.open = false;
});

// Keys: / goes to the first filter, j and k along the rows, Escape closes a menu.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
  if (event.key === "Escape") {
    for (const pop of document.querySelectorAll(".pop[open]")) { pop.open = false; pop.querySelector("summary").focus(); }
    return;
  }
  const rows = [...document.querySelectorAll("tbody tr td:first-child a")];
  const at = rows.indexOf(document.activeElement);
  if (event.key === "j") rows[Math.min(at + 1, rows.length - 1)]?.focus();
  else if (event.key === "k") rows[Math.max(at - 1, 0)]?.focus();
  else if (event.key === "/") document.querySelector("form[role=search] input, form[role=search] select")?.focus();
  else return;
  event.preventDefault();
});
