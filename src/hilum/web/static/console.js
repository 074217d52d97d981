/* Small comforts; every page works without them. */

const root = document.documentElement;

function isDark() {
  if (root.dataset.theme) return root.dataset.theme === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function toggleTheme() {
  root.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* kept for this page only */ }
}

function toggleMenu(button) {
  const rail = document.getElementById("rail");
  button.setAttribute("aria-expanded", String(rail.classList.toggle("open")));
}

/** Write moments in the browser's own time zone, those of today without the day. */
function localise(within) {
  const two = (value) => String(value).padStart(2, "0");
  for (const time of within.querySelectorAll("time[data-local]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
    const today = at.toDateString() === new Date().toDateString();
    time.title = `${time.dateTime} (UTC)`;
    time.textContent = today ? `${clock}:${two(at.getSeconds())}` : `${day} ${clock}`;
  }
}

/** Tell screen readers how many results a live filter left. */
function announce(within) {
  const said = within.querySelector("[data-announce]");
  if (said) document.getElementById("announcer").textContent = said.textContent.trim();
}

/** Replace pictures that cannot be shown by words. */
function watchPictures(within) {
  for (const picture of within.querySelectorAll("img[data-else]")) {
    const fail = () => { picture.replaceWith(picture.dataset.else); };
    if (picture.complete && picture.naturalWidth === 0) fail();
    else picture.addEventListener("error", fail, { once: true });
  }
}

function typing(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName));
}

/** "/" goes to the filter; arrows go through the rows. */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/" && !typing(event.target)) {
    const first = document.querySelector("[data-filter] input, [data-filter] select");
    if (first) { event.preventDefault(); first.focus(); }
    return;
  }
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const rows = [...document.querySelectorAll("main tr.leads a.lead")];
  const at = rows.indexOf(document.activeElement);
  if (at < 0 && !(typing(event.target) && event.target.closest("[data-filter]") && event.target.tagName === "INPUT")) return;
  const next = rows[at + (event.key === "ArrowDown" ? 1 : -1)];
  if (next) { event.preventDefault(); next.focus(); }
}

function onClick(event) {
  const button = event.target.closest?.("button[data-do]");
  if (!button) return;
  if (button.dataset.do === "theme") toggleTheme();
  if (button.dataset.do === "menu") toggleMenu(button);
}

function onChange(event) {
  if (event.target.matches?.("input[data-all]")) {
    for (const box of document.querySelectorAll(`input[name="${event.target.dataset.all}"]`)) box.checked = event.target.checked;
  }
  if (event.target.matches?.("select[data-shows]")) showFieldsOf(event.target);
}

/** Show only the fields that belong to the choice of a select. */
function showFieldsOf(select) {
  for (const part of document.querySelectorAll("[data-for]")) {
    const wanted = part.dataset.for.split(" ").includes(select.value);
    part.hidden = !wanted;
    for (const field of part.querySelectorAll("input, select")) field.disabled = !wanted;
  }
}

/** What is live asks again every five seconds, while somebody looks. */
setInterval(() => {
  if (document.visibilityState === "visible") document.body.dispatchEvent(new Event("refresh"));
}, 5000);

document.addEventListener("click", onClick);
document.addEventListener("change", onChange);
document.addEventListener("keydown", onKey);
document.addEventListener("htmx:after:swap", () => {
  localise(document);
  watchPictures(document);
  announce(document);
});

localise(document);
watchPictures(document);
for (const select of document.querySelectorAll("select[data-shows]")) showFieldsOf(select);
