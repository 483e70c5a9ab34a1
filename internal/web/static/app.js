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

// Times go on while a page is open.
const parts = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const words = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });
function tick() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
    const [unit, size] = parts.find(([, size]) => Math.abs(seconds) >= size) ?? parts[3];
    const text = words.format(Math.trunc(seconds / size), unit);
    if (time.textContent !== text) time.textContent = text;
  }
}
tick();
setInterval(tick, 1000);

// What goes on while one looks is fetched again and put in place.
for (const part of document.querySelectorAll("[data-live]:not([data-live=''])")) {
  setTimeout(async function again() {
    try {
      const answer = await fetch(location.href);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-live]");
      if (!answer.ok || !fresh) return;
      part.replaceChildren(...fresh.childNodes);
      if (!fresh.dataset.live) return;
    } catch { /* the server is away for a moment */ }
    setTimeout(again, Number(part.dataset.live));
  }, Number(part.dataset.live));
}

// Keys: / goes to the first filter, j and k along the rows.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
  const rows = [...document.querySelectorAll("tbody tr td:first-child a")];
  const at = rows.indexOf(document.activeElement);
  if (event.key === "j") rows[Math.min(at + 1, rows.length - 1)]?.focus();
  else if (event.key === "k") rows[Math.max(at - 1, 0)]?.focus();
  else if (event.key === "/") document.querySelector("form[role=search] input, form[role=search] select")?.focus();
  else return;
  event.preventDefault();
});
