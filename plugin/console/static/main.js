// The page: what is looked at is in the address behind #, so that it can be kept and sent on.
import { Tail, get } from "./api.js";
import { showDead, showDestinations } from "./delivery.js";
import { $, pressed } from "./dom.js";
import { draw } from "./histogram.js";
import { Rows } from "./rows.js";
import { Sidebar } from "./sidebar.js";

const OVERVIEW_EVERY = 2000;
const PAGE = 500;
const AROUND = 100;

const rows = new Rows($("log"), { onopen: around, onolder: older, onbottom: bottom });
const sidebar = new Sidebar(() => changed());
let overview = null;
let tail = null;
let mode = "live"; // live: what comes; past: what a search or a time has found; around: what is around a line
let paused = false;
let missed = 0;
let pending = [];
let frame = 0;
let since = ""; // of the past that is shown
const searches = new Map(); // one for each purpose: a newer one ends it
let loading = false;

// What is looked at, as the API's parameters.
function selection() {
  const parameters = new URLSearchParams();
  for (const id of sidebar.chosen) parameters.append("container", id);
  for (const name of ["q", "level", "stream"]) if ($(name).value) parameters.set(name, $(name).value);
  return parameters;
}

function state(text) {
  $("state").textContent = missed ? `${text}, ${missed.toLocaleString("en")} bytes passed over` : text;
}

function fault(text) {
  $("fault").textContent = text;
  $("fault").hidden = !text;
}

function flush() {
  frame = 0;
  const lines = pending;
  pending = [];
  sidebar.count(lines);
  rows.append(lines, rows.atBottom);
}

function follow() {
  const parameters = selection();
  if (!tail || tail.parameters.toString() !== parameters.toString()) {
    stop();
    rows.clear();
    missed = 0;
    tail = new Tail(parameters, {
      onlines: (lines) => {
        pending.push(...lines);
        if (!frame) frame = requestAnimationFrame(flush);
      },
      onmissed: (one) => {
        flush();
        missed += one.bytes;
        rows.note(`${one.container_name || one.container_id}: ${one.bytes.toLocaleString("en")} bytes are not shown here`);
        state("following");
      },
      onstate: (text) => {
        if (!paused && mode === "live") state(text);
      },
    });
  }
  mode = "live";
  paused = false;
  pressed($("follow"), true);
  $("follow").textContent = "Following";
  tail.open();
  rows.atBottom = true;
  $("log").scrollTop = $("log").scrollHeight;
}

function pause() {
  paused = true;
  if (tail) tail.close();
  if (frame) {
    cancelAnimationFrame(frame);
    flush();
  }
  pressed($("follow"), false);
  $("follow").textContent = "Follow";
  if (mode === "live") state("paused");
}

function stop() {
  pause();
  tail = null;
}

// Looks into the past: the newest lines of a span of time.
async function past(begin, until) {
  stop();
  mode = "past";
  since = begin;
  const parameters = selection();
  if (since) parameters.set("since", since);
  if (until) parameters.set("until", until);
  const found = await asked("lines", "/api/lines", parameters, { limit: PAGE, order: "newest" });
  if (!found) return;
  rows.clear();
  rows.append(found.lines, true);
  const more = found.more ? ` newest, scroll up for more` : "";
  state(`${found.lines.length.toLocaleString("en")} lines${more}${found.timed_out ? ", not all was looked at in time" : ""}`);
  const counts = await asked("histogram", "/api/histogram", parameters, { buckets: 60 });
  if (counts && mode === "past") draw($("histogram"), counts, (from, to) => past(from.toISOString(), to.toISOString()));
}

// Shows what is around a line, of its container alone or of all that are looked at.
async function around(line, everything = false) {
  stop();
  mode = "around";
  const parameters = new URLSearchParams();
  if (everything) for (const id of sidebar.chosen) parameters.append("container", id);
  else parameters.set("container", line.container_id);
  const before = new URLSearchParams(parameters);
  before.set("until", line.time);
  const after = new URLSearchParams(parameters);
  after.set("since", line.time);
  const earlier = await asked("lines", "/api/lines", before, { limit: AROUND, order: "newest" });
  const later = earlier && (await asked("lines", "/api/lines", after, { limit: AROUND, order: "oldest" }));
  if (!later) return;
  $("histogram").hidden = true;
  rows.clear();
  rows.append(earlier.lines, false);
  rows.append(later.lines, false);
  const row = line.offset === undefined ? rows.log.children[earlier.lines.length] : rows.find(line.container_id, line.offset);
  rows.choose(row ?? rows.log.lastElementChild);
  rows.chosen?.scrollIntoView({ block: "center" });
  state("around a line");
  const address = new URLSearchParams({ at: line.time });
  if (line.offset !== undefined) {
    address.set("in", line.container_id);
    address.set("offset", line.offset);
  }
  history.replaceState(null, "", `#${address}`);
}

// Loads what is older than the first row, where one has scrolled up to it.
async function older() {
  const first = rows.first();
  if (loading || !first || (mode === "live" && !paused && rows.atBottom)) return;
  loading = true;
  const parameters = mode === "around" ? new URLSearchParams({ container: first.container_id }) : selection();
  if (mode === "past" && since) parameters.set("since", since);
  parameters.set("until", first.time);
  const found = await asked("older", "/api/lines", parameters, { limit: PAGE, order: "newest" });
  if (found && rows.first() === first) {
    if (mode === "live" && !paused) pause();
    rows.prepend(found.lines);
  }
  loading = false;
}

async function asked(purpose, path, selected, further) {
  const own = new AbortController();
  searches.get(purpose)?.abort();
  searches.set(purpose, own);
  const parameters = new URLSearchParams(selected);
  for (const [name, value] of Object.entries(further)) parameters.set(name, value);
  if (purpose === "lines") state("searching …");
  try {
    const found = await get(path, parameters, own.signal);
    fault("");
    return found;
  } catch (error) {
    if (error.name !== "AbortError") {
      fault(error.message);
      state("");
    }
    return null;
  }
}

function bottom(reached) {
  $("latest").hidden = reached && mode === "live" && !paused;
}

// Shows what the controls say, and writes it into the address.
function changed() {
  const range = $("range").value;
  $("at").hidden = range !== "at";
  const address = selection();
  if (range) address.set("range", range);
  if (range === "at" && $("at").value) address.set("at", new Date($("at").value).toISOString());
  history.replaceState(null, "", `#${address}`);
  fault("");
  $("latest").hidden = true;
  if (range === "at") {
    if ($("at").value) around({ time: new Date($("at").value).toISOString() }, true);
  } else if (range) past(range === "all" ? "" : range, "");
  else {
    $("histogram").hidden = true;
    for (const one of searches.values()) one.abort();
    live();
  }
}

// A search while following is checked first: a stream of events cannot say what is wrong.
async function live() {
  if ($("q").value) {
    const checked = await asked("check", "/api/lines", selection(), { limit: 1, order: "newest", since: "1s" });
    if (!checked || $("range").value) return;
  }
  follow();
}

function fromAddress() {
  const address = new URLSearchParams(location.hash.slice(1));
  for (const name of ["q", "level", "stream", "range"]) $(name).value = address.get(name) ?? "";
  sidebar.chosen = new Set(address.getAll("container"));
  if (address.get("at")) {
    const line = { time: address.get("at"), container_id: address.get("in") };
    if (address.has("offset")) line.offset = Number(address.get("offset"));
    around(line, !address.has("in"));
  } else changed();
}

async function refresh() {
  try {
    overview = await get("/api/overview");
    sidebar.take(overview);
    $("leave").hidden = !overview.signed_in;
    if ($("fault").dataset.of === "overview") fault("");
    if (overview.fault) {
      fault(overview.fault);
      $("fault").dataset.of = "overview";
    }
    if (!$("destinations").hidden) showDestinations(overview);
  } catch (error) {
    fault(`the server does not answer: ${error.message}`);
    $("fault").dataset.of = "overview";
  }
  setTimeout(refresh, OVERVIEW_EVERY);
}

function view(name) {
  for (const one of ["logs", "destinations", "dead"]) {
    $(one).hidden = one !== name;
    pressed($(`view-${one}`), one === name);
  }
  if (name === "destinations" && overview) showDestinations(overview);
  if (name === "dead") showDead();
}

function toggle(button, name) {
  const on = button.getAttribute("aria-pressed") !== "true";
  pressed(button, on);
  $("log").classList.toggle(name, on);
}

function toggleFollowing() {
  if (mode === "live" && !paused) pause();
  else if (mode === "live") follow();
  else {
    $("range").value = "";
    changed();
  }
}

function theme() {
  const dark = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = dark === "dark" ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
}

function save() {
  const parameters = selection();
  const range = $("range").value;
  if (range && range !== "all" && range !== "at") parameters.set("since", range);
  parameters.set("format", $("format").value);
  const link = document.createElement("a");
  link.href = `/api/download?${parameters}`;
  link.download = "";
  link.click();
}

const KEYS = {
  "/": () => $("q").focus(),
  j: () => rows.move(1),
  k: () => rows.move(-1),
  Enter: () => rows.chosen?.line && around(rows.chosen.line),
  e: () => rows.chosen?.querySelector(".unfold")?.click(),
  f: toggleFollowing,
  w: () => toggle($("wrap"), "wrap"),
  c: () => {
    menu(true);
    $("filter").focus();
  },
  "?": () => $("keys").showModal(),
};

function menu(open) {
  document.body.classList.toggle("menu", open);
  $("menu").setAttribute("aria-expanded", String(open));
}

addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "Escape" && typing) event.target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  if (event.key === "Enter" && event.target.tagName === "BUTTON") return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("q").value && !$("range").value) $("range").value = "all";
  changed();
});
for (const name of ["level", "stream", "range", "at"]) $(name).addEventListener("change", changed);
$("follow").addEventListener("click", toggleFollowing);
$("latest").addEventListener("click", () => {
  $("range").value = "";
  if (mode === "live" && !paused) {
    $("log").scrollTop = $("log").scrollHeight;
    $("latest").hidden = true;
  } else if (mode === "live") follow();
  else changed();
});
$("wrap").addEventListener("click", () => toggle($("wrap"), "wrap"));
$("events").addEventListener("click", () => toggle($("events"), "events"));
$("zone").addEventListener("click", () => {
  rows.utc = !rows.utc;
  pressed($("zone"), rows.utc);
  rows.showTimes();
});
$("theme").addEventListener("click", theme);
$("save").addEventListener("click", save);
$("help").addEventListener("click", KEYS["?"]);
$("menu").addEventListener("click", () => menu(!document.body.classList.contains("menu")));
for (const name of ["logs", "destinations", "dead"]) $(`view-${name}`).addEventListener("click", () => view(name));
addEventListener("hashchange", fromAddress);

const kept = localStorage.getItem("theme");
if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
$("log").classList.add("wrap", "events");
refresh();
fromAddress();
