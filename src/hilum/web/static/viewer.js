/* Shows the frames of one study, one at a time, as the server renders them (PS3.18 8.3.5: Retrieve Rendered). */

const AHEAD = 6;
const BEHIND = 2;
const MOST_KEPT = 150;

const WINDOWS = {
  CT: [["Soft tissue", "40,400"], ["Lung", "-600,1500"], ["Bone", "300,1500"], ["Brain", "40,80"], ["Liver", "60,160"]],
};

const viewer = document.getElementById("viewer");
const part = (name) => viewer.querySelector(`[data-part="${name}"]`);
const [stage, says, chooser, preset, natural] = ["stage", "says", "chooser", "preset", "natural"].map(part);
const [imageSlider, imageCount, frameSlider, frameCount] =
  ["image", "image-count", "frame", "frame-count"].map(part);
const frameRow = viewer.querySelectorAll("[data-of-frame]");
const [seriesCorner, imageCorner] = ["series-corner", "image-corner"].map(part);
const base = viewer.dataset.study;

const at = { series: 0, instance: 0, frame: 1 };
let study = [];
const kept = new Map();

const series = () => study[at.series];
const instance = () => series().instances[at.instance];

function address(one, frame) {
  const window = preset.value ? `?window=${preset.value},linear` : "";
  return `${base}/series/${series().uid}/instances/${one.uid}/frames/${frame}/rendered${window}`;
}

/** Return a picture, loading or loaded; the ones used longest ago are let go. */
function picture(url) {
  let found = kept.get(url);
  kept.delete(url);
  if (!found) {
    const image = new Image();
    image.decoding = "async";
    found = { image, loaded: new Promise((done, fail) => { image.onload = done; image.onerror = fail; }) };
    found.loaded.catch(() => kept.delete(url));
    image.src = url;
  }
  kept.set(url, found);
  while (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
  return found;
}

/** Return the place that is `by` frames further, through instances; null at the ends of the series. */
function moved(by) {
  const to = { ...at, frame: at.frame + by };
  const instances = series().instances;
  while (to.frame < 1) {
    if (--to.instance < 0) return null;
    to.frame += Math.max(instances[to.instance].frames, 1);
  }
  while (to.frame > Math.max(instances[to.instance].frames, 1)) {
    to.frame -= Math.max(instances[to.instance].frames, 1);
    if (++to.instance >= instances.length) return null;
  }
  return to;
}

function fetchAhead() {
  for (let by = -BEHIND; by <= AHEAD; by++) {
    const to = by === 0 ? null : moved(by);
    if (to && series().instances[to.instance].frames > 0) picture(address(series().instances[to.instance], to.frame));
  }
}

async function show() {
  describe();
  const one = instance();
  if (one.frames === 0) return explain(one);
  const url = address(one, at.frame);
  const { image, loaded } = picture(url);
  stage.setAttribute("aria-busy", "true");
  try {
    await loaded;
  } catch {
    if (url === currentAddress()) explain(one, "The server could not render this frame.");
    return;
  }
  if (url !== currentAddress()) return;
  image.alt = `${words()}, image ${at.instance + 1} of ${series().instances.length}, frame ${at.frame} of ${one.frames}`;
  says.hidden = true;
  stage.querySelector("img")?.remove();
  stage.prepend(image);
  stage.setAttribute("aria-busy", "false");
  fetchAhead();
}

function currentAddress() {
  return instance().frames ? address(instance(), at.frame) : "";
}

/** Say what an object is that has no frames, or why one is not shown. */
function explain(one, why = "") {
  stage.querySelector("img")?.remove();
  stage.setAttribute("aria-busy", "false");
  says.hidden = false;
  const text = document.createElement("p");
  text.textContent = why || `This object is a ${one.kind}: it has no frames to show.`;
  const link = document.createElement("a");
  link.href = `${base}/series/${series().uid}/instances/${one.uid}?accept=${encodeURIComponent("application/dicom")}`;
  link.textContent = "Download the DICOM object";
  link.download = `${one.uid}.dcm`;
  const line = document.createElement("p");
  line.append(link);
  says.replaceChildren(text, line);
}

function words() {
  const one = series();
  return [one.modality, one.description || `series ${one.number || at.series + 1}`].filter(Boolean).join(" ");
}

function describe() {
  const { instances } = series();
  const { frames } = instance();
  Object.assign(imageSlider, { max: instances.length, value: at.instance + 1, disabled: instances.length < 2 });
  imageCount.value = `${at.instance + 1} / ${instances.length}`;
  for (const element of frameRow) element.hidden = frames < 2;
  Object.assign(frameSlider, { max: Math.max(frames, 1), value: at.frame });
  frameCount.value = `${at.frame} / ${Math.max(frames, 1)}`;
  seriesCorner.textContent = words();
  imageCorner.textContent = `Image ${at.instance + 1} / ${instances.length}` + (frames > 1 ? `\nFrame ${at.frame} / ${frames}` : "");
  const query = new URLSearchParams({ series: series().uid, instance: instance().uid });
  history.replaceState(null, "", `?${query}`);
}

function go(to) {
  if (!to) return;
  Object.assign(at, to);
  show();
}

function goToSeries(index) {
  if (index < 0 || index >= study.length) return;
  Object.assign(at, { series: index, instance: 0, frame: 1 });
  for (const [place, button] of [...chooser.querySelectorAll("button")].entries()) {
    if (place === index) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  offerWindows();
  show();
}

function offerWindows() {
  const options = [["As stored", ""], ...(WINDOWS[series().modality] ?? [])];
  preset.replaceChildren(...options.map(([name, value]) => new Option(name, value)));
  preset.disabled = options.length < 2;
}

function listSeries() {
  const items = study.map((one, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = one.description || `Series ${one.number || index + 1}`;
    const small = document.createElement("small");
    const count = one.instances.length;
    small.textContent = `${one.modality || "?"} · ${count} ${count === 1 ? "object" : "objects"}`;
    button.append(small);
    button.addEventListener("click", () => goToSeries(index));
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  chooser.replaceChildren(...items);
}

const KEYS = {
  ArrowDown: () => go(moved(1)),
  ArrowRight: () => go(moved(1)),
  ArrowUp: () => go(moved(-1)),
  ArrowLeft: () => go(moved(-1)),
  Home: () => go({ instance: 0, frame: 1 }),
  End: () => go({ instance: series().instances.length - 1, frame: 1 }),
  PageDown: () => goToSeries(at.series + 1),
  PageUp: () => goToSeries(at.series - 1),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT)$/.test(event.target.tagName)) return;
  const act = KEYS[event.key] ?? (/^[1-6]$/.test(event.key) ? () => choosePreset(Number(event.key) - 1) : null);
  if (!act || (event.target !== stage && event.target !== document.body)) return;
  event.preventDefault();
  act();
}

function choosePreset(index) {
  if (index >= preset.options.length) return;
  preset.selectedIndex = index;
  show();
}

let turned = 0;
function onWheel(event) {
  if (event.ctrlKey || stage.classList.contains("natural")) return;
  event.preventDefault();
  turned += event.deltaY;
  if (Math.abs(turned) < 40) return;
  go(moved(Math.sign(turned)));
  turned = 0;
}

async function start() {
  const answer = await fetch(viewer.dataset.frames, { headers: { Accept: "application/json" } });
  if (!answer.ok) {
    says.textContent = `The list of frames did not come (${answer.status}). Load the page again.`;
    return;
  }
  study = (await answer.json()).series.filter((one) => one.instances.length);
  if (!study.length) {
    says.textContent = "This study has no instances yet.";
    return;
  }
  listSeries();
  const asked = new URLSearchParams(location.search);
  const index = study.findIndex((one) => one.uid === asked.get("series"));
  const first = index >= 0 ? index : Math.max(study.findIndex((one) => one.instances.some((each) => each.frames)), 0);
  const wanted = study[first].instances.findIndex((one) => one.uid === asked.get("instance"));
  goToSeries(first);
  if (wanted > 0) go({ instance: wanted, frame: 1 });
}

document.addEventListener("keydown", onKey);
stage.addEventListener("wheel", onWheel, { passive: false });
imageSlider.addEventListener("input", () => go({ instance: Number(imageSlider.value) - 1, frame: 1 }));
frameSlider.addEventListener("input", () => go({ frame: Number(frameSlider.value) }));
preset.addEventListener("change", show);
natural.addEventListener("change", () => stage.classList.toggle("natural", natural.checked));
start();
