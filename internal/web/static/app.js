// Makes the pages livelier. All of them work without it.
"use strict";

// Copying and saving need script, so their buttons appear with it.
function copy(button) {
  navigator.clipboard.writeText(button.dataset.copy).then(() => {
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
function save(button) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([button.dataset.text + "\n"], { type: "text/plain" }));
  link.download = button.dataset.save;
  link.click();
  URL.revokeObjectURL(link.href);
}
document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-copy], [data-save]");
  if (button?.dataset.copy !== undefined) copy(button);
  else if (button) save(button);
});

// Times go on while a page is open. When what a time waits for is due, the page around it hears of it and looks again.
// They are rounded to the nearest, in the smallest unit of which there are not too many: 24 hours are no day yet, 48 are two.
const parts = [["second", 1, 60], ["minute", 60, 60], ["hour", 3600, 48], ["day", 86400, Infinity]];
const words = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });
function tick() {
  for (const time of document.querySelectorAll("time[datetime]:not([data-fixed])")) {
    const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
    const [unit, size] = parts.find(([, size, most]) => Math.round(Math.abs(seconds) / size) < most);
    const due = "due" in time.dataset;
    if (due && seconds <= 0 && !(Date.now() - time.told < 5000)) {
      time.told = Date.now();
      time.dispatchEvent(new Event("due", { bubbles: true }));
    }
    const text = due && seconds < 1 ? "due now" : Math.abs(seconds) < 1 ? "just now" : words.format(Math.sign(seconds) * Math.round(Math.abs(seconds) / size), unit);
    if (time.textContent !== text) time.textContent = text;
  }
}
tick();
setInterval(tick, 1000);

// A list that things are put into while one looks keeps its newest, and nothing in it jumps: what stands in it stays where it is
// when rows come above it, and the list is scrolled to them once that is drawn. Who has scrolled down keeps their
// place. It tells what else shows the rows.
const drawn = (then) => requestAnimationFrame(() => requestAnimationFrame(then));
for (const list of document.querySelectorAll("[data-most]")) {
  let last = 0, moving = false; // to the newest
  new MutationObserver((changes) => {
    const added = changes.flatMap((change) => [...change.addedNodes]).filter((node) => node.parentNode === list && node.offsetHeight);
    const follows = moving || list.scrollTop === 0;
    list.scrollTop += added.reduce((sum, row) => sum + row.offsetHeight, 0);
    if (follows && added.length > 0) {
      moving = true;
      const own = ++last; // rows that come meanwhile must be drawn, too
      drawn(() => {
        if (own !== last) return;
        moving = false;
        list.scrollTop = 0;
      });
    }
    while (list.children.length > Number(list.dataset.most)) list.lastElementChild.remove();
    if (!document.querySelector("#rows:is(:hover, :focus-within)")) list.dispatchEvent(new Event("moved")); // no row goes from under a hand
  }).observe(list, { childList: true });
}

// A list looks again while somebody may see it: not while they are at something in it, and none whose rows may go from under a hand.
function look() {
  if (document.hidden) return;
  for (const list of document.querySelectorAll("[hx-trigger*=look]")) {
    if (!list.matches(":focus-within, :has(.pop[open]), #rows:hover")) list.dispatchEvent(new Event("look"));
  }
}
setInterval(look, 10000); // the day of each endpoint is summed up for it
document.addEventListener("visibilitychange", look);

// A live list says when it hears nothing any more, and looks at what it missed once it does again. Whose session has ended is
// led to the sign-in page by a reload.
document.addEventListener("htmx:sse:error", ({ detail }) => {
  if (detail.status === 401) location.reload();
  for (const line of document.querySelectorAll("[data-lost]")) line.textContent = line.dataset.lost;
});
document.addEventListener("htmx:sse:after:connection", ({ target }) => {
  for (const line of document.querySelectorAll("[data-lost]:not(:empty)")) {
    line.textContent = "";
    target.dispatchEvent(new Event("moved"));
  }
});

// What scrolls by itself can be reached by keys: not every browser sees to that.
const scrolled = new ResizeObserver((all) => {
  for (const { target } of all) {
    const more = target.scrollWidth > target.clientWidth || target.matches("pre") && target.scrollHeight > target.clientHeight;
    if (more) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});

// ready makes what script adds work in a page, and in what is put into it later.
function ready() {
  for (const button of document.querySelectorAll("[data-copy], [data-save]")) button.hidden = false;
  for (const part of document.querySelectorAll(".wide, pre")) scrolled.observe(part);
}
ready();
document.addEventListener("htmx:after:swap", ready);

// A menu that opens is seen whole, and closes when one goes elsewhere.
document.addEventListener("toggle", (event) => {
  if (event.target.matches(".pop[open]")) event.target.lastElementChild.scrollIntoView({ block: "nearest" });
}, true);
document.addEventListener("click", (event) => {
  for (const pop of document.querySelectorAll(".pop[open]")) if (!pop.contains(event.target)) pop.open = false;
});

// A button that is pressed twice before the answer comes does its work once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (Date.now() - form.sent < 10000) event.preventDefault();
  else form.sent = Date.now();
});
addEventListener("pageshow", () => { // somebody came back to the page
  for (const form of document.forms) form.sent = undefined;
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

// What was typed outlives a session that has ended meanwhile. It is kept in this tab until the next page: the sign-in page
// keeps it on, and the page behind it fills it in again for the same member. Passwords, headers and secrets are not kept,
// nor is that somebody was sure of something.
const typed = {
  take() {
    try {
      const kept = sessionStorage.getItem("typed");
      sessionStorage.removeItem("typed");
      return JSON.parse(kept);
    } catch { return null; } // a browser may forbid it
  },
  keep(kept) {
    try { sessionStorage.setItem("typed", JSON.stringify(kept)); } catch { /* then it is lost, as without script */ }
  },
};
const secretive = "[type=hidden], [type=password], [type=file], [autocomplete=off], [name=sure]";
const fieldsOf = (form) => [...form.elements].filter((e) => e.name && e.matches("input, select, textarea") && !e.matches(secretive));
const ticked = (e) => e.type === "checkbox" || e.type === "radio";
const touched = (e) => ticked(e) ? e.checked !== e.defaultChecked
  : e.tagName === "SELECT" ? [...e.options].some((o) => o.selected !== o.defaultSelected) : e.value !== e.defaultValue;

const kept = typed.take();
const who = document.body.dataset.who;
const next = document.querySelector("form[action='/sign-in'] [name=next]");
if (!who && next && kept && (kept.lost || next.value !== "/")) {
  if (kept.page.split("?")[0] === next.value) next.value = kept.page; // with its filters
  typed.keep({ ...kept, lost: true });
} else if (who && kept?.lost && kept.who === who) {
  let filled = false;
  for (const { action, name, value, on } of kept.fields) {
    const form = [...document.querySelectorAll("main form[method=post]")].find((f) => f.getAttribute("action") === action);
    const field = form && fieldsOf(form).find((e) => e.name === name && (on === undefined || e.value === value));
    if (!field) continue;
    if (on === undefined) field.value = value;
    else field.checked = on;
    for (let e = field.closest("details"); e; e = e.parentElement.closest("details")) e.open = true;
    filled = true;
  }
  if (filled) {
    const note = document.createElement("p");
    note.className = "done";
    note.setAttribute("role", "status");
    note.textContent = "What you typed before you had to sign in again is here once more. Nothing of it was saved; headers and secrets have to be typed again.";
    document.querySelector("main").prepend(note);
  }
}
if (who) {
  addEventListener("pagehide", () => {
    const fields = [];
    for (const form of document.querySelectorAll("main form[method=post]")) {
      for (const e of fieldsOf(form).filter(touched)) {
        fields.push({ action: form.getAttribute("action"), name: e.name, value: e.value, on: ticked(e) ? e.checked : undefined });
      }
    }
    if (fields.length > 0) typed.keep({ who, page: location.pathname + location.search, fields });
  });
}
