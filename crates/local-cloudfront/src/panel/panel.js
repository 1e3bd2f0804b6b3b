// Shows what the stream tells: a snapshot, then changes. Whatever comes from there is set as text, never as markup.

const ROWS = 200; // of an edge, at most: whoever looks for more has the filter
const LINES = 100; // of the log
const INVALIDATIONS = 20;
const COLD = 60_000; // how long what was purged stays in sight, in milliseconds
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

const find = (id) => document.getElementById(id);
const edges = new Map(); // by name: { place, counts, entries: Map, cold: Map, rows: Map, and its elements }
const invalidations = new Map(); // by id, in the order of acceptance
let log = []; // newest first
let here = "";
let ahead = 0; // the world's clock less ours
let touch = 0; // counts what happened to entries
let stale = { log: true, invalidations: true };

const now = () => Date.now() + ahead;

// Elements and texts.

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const NONE = () => element("li", { className: "none", textContent: "None yet." });
const number = (value) => value.toLocaleString("en");
const PLURALS = { entry: "entries", miss: "misses" };
const plural = (count, noun) => `${number(count)} ${count === 1 ? noun : (PLURALS[noun] ?? `${noun}s`)}`;
const clock = (time) => new Date(time).toLocaleTimeString("en", { hour12: false });

function duration(seconds) {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

function bytes(count) {
  if (count < 1000) return `${count} B`;
  if (count < 1_000_000) return `${(count / 1000).toFixed(1)} kB`;
  return `${(count / 1_000_000).toFixed(1)} MB`;
}

function timeOf(at) {
  return element("time", { dateTime: new Date(at).toISOString(), textContent: clock(at) });
}

// What the stream tells.

function edgeOf([id, place]) {
  const name = `${id}/${place}`;
  if (!edges.has(name)) edges.set(name, { name, id, place: "", counts: {}, entries: new Map(), cold: new Map(), rows: new Map() });
  return edges.get(name);
}

function showSnapshot(snapshot) {
  ahead = snapshot.now - Date.now();
  here = snapshot.here.join("/");
  for (const edge of edges.values()) edge.section?.remove();
  edges.clear();
  invalidations.clear();
  log = [];
  for (const told of snapshot.edges) {
    const edge = edgeOf(told.edge);
    Object.assign(edge, { place: told.place, counts: told.counts });
    for (const entry of told.entries) edge.entries.set(entry.path, entry);
  }
  for (const invalidation of snapshot.invalidations.toSorted((one, other) => one.accepted - other.accepted)) {
    invalidations.set(invalidation.id, { ...invalidation, taken: [] });
  }
  stale = { log: true, invalidations: true };
}

// `isPast`: the snapshot has what it led to already.
function take(event, isPast) {
  if (event.kind === "invalidated") {
    if (!invalidations.has(event.id)) invalidations.set(event.id, { ...event, taken: [] });
    stale.invalidations = true;
    return;
  }
  const edge = edgeOf(event.edge);
  if (event.kind === "cleared") {
    if (!isPast) edge.entries.clear();
  } else if (event.kind === "purged") {
    chill(edge, event, isPast);
  } else {
    log.unshift({ ...event, place: edge.place });
    stale.log = true;
    if (isPast) return;
    edge.counts = event.counts;
    edge.cold.delete(event.path);
    if (event.entry) edge.entries.set(event.path, { ...event.entry, touched: ++touch });
    else edge.entries.delete(event.path);
  }
}

function chill(edge, event, isPast) {
  for (const path of event.paths) {
    const entry = edge.entries.get(path);
    if (isPast && entry?.stored >= event.at) continue;
    edge.entries.delete(path);
    if (now() - event.at < COLD) edge.cold.set(path, { ...entry, path, at: event.at, invalidation: event.invalidation, touched: ++touch });
  }
  invalidations.get(event.invalidation)?.taken.push({ place: edge.place, paths: event.paths });
  stale.invalidations = true;
}

// Edges.

function nameOf(edge) {
  return here.startsWith(`${edge.id}/`) ? edge.place : `${edge.place} of ${edge.id}`;
}

function stateOf(entry) {
  if (entry.at) return "cold";
  if (now() - entry.stored >= entry.fresh * 1000) return "stale";
  return entry.failed ? "error" : "fresh";
}

function ageOf(entry) {
  if (entry.at) return `purged ${clock(entry.at)}`;
  const age = Math.max(0, Math.floor((now() - entry.stored) / 1000));
  return `${duration(age)} of ${duration(entry.fresh)}`;
}

function pathOf(edge, path) {
  if (edge.name !== here) return element("span", { textContent: path });
  // With the origin before it `//host/` stays a path.
  return element("a", { textContent: path, href: location.origin + path, target: "_blank", rel: "noopener" });
}

function rowOf(edge, path) {
  if (edge.rows.has(path)) return edge.rows.get(path);
  const row = element("tr");
  row.setAttribute("role", "row");
  row.cell = {};
  for (const name of ["state", "path", "status", "age", "size", "type"]) {
    row.cell[name] = element("td", { className: name === "size" || name === "status" ? `${name} number` : name });
    row.cell[name].setAttribute("role", "cell");
    row.append(row.cell[name]);
  }
  row.cell.path.append(pathOf(edge, path));
  edge.rows.set(path, row);
  return row;
}

function fill(row, entry) {
  const state = stateOf(entry);
  set(row.cell.state, state);
  row.cell.state.className = `state is-${state}`;
  row.className = state;
  set(row.cell.status, entry.status ? `${entry.status}` : "");
  set(row.cell.age, ageOf(entry));
  set(row.cell.size, entry.size === undefined ? "" : bytes(entry.size));
  set(row.cell.type, (entry.type ?? "").split(";")[0]);
  if (entry.touched && row.touched !== entry.touched) {
    row.touched = entry.touched;
    if (!CALM.matches) row.animate([{ backgroundColor: "var(--touched)" }, {}], 900);
  }
}

const COLUMNS = [["State"], ["Path"], ["Status", "number"], ["Age and lifetime"], ["Size", "number"], ["Type"]];

function buildSection(edge) {
  const id = `edge-${[...edges.keys()].indexOf(edge.name)}`;
  const title = element("h2", { id, textContent: nameOf(edge) });
  edge.facts = element("p", { className: "facts" });
  edge.note = element("p", { className: "note" });
  edge.body = element("tbody");
  const heads = COLUMNS.map(([text, className = ""]) => element("th", { scope: "col", textContent: text, className }));
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads)), edge.body);
  table.setAttribute("role", "table");
  table.setAttribute("aria-labelledby", id);
  edge.body.setAttribute("role", "rowgroup");
  edge.section = element("section", {}, title, edge.facts, edge.note, table);
  edge.section.setAttribute("aria-labelledby", id);
}

function drawEdge(edge, words) {
  if (!edge.section) buildSection(edge);
  const { hits = 0, misses = 0, refreshes = 0, errors = 0 } = edge.counts;
  const beside = edge.name === here ? ", served here" : "";
  set(edge.facts, `${edge.id}${beside}: holds ${plural(edge.entries.size, "path")}; ${plural(hits, "hit")}, ${plural(misses, "miss")}, ${number(refreshes)} refreshed, ${plural(errors, "error")}`);
  const all = [...edge.entries.values(), ...edge.cold.values()];
  const wanted = words ? all.filter((entry) => entry.path.toLowerCase().includes(words)) : all;
  let shown = wanted;
  if (wanted.length > ROWS) {
    shown = wanted.toSorted((one, other) => (other.touched ?? 0) - (one.touched ?? 0)).slice(0, ROWS);
  }
  shown.sort((one, other) => (one.path < other.path ? -1 : 1));
  const rows = shown.map((entry) => rowOf(edge, entry.path));
  shown.forEach((entry, index) => fill(rows[index], entry));
  place(edge.body, rows);
  for (const [path, row] of edge.rows) if (!row.isConnected) edge.rows.delete(path);
  const hidden = wanted.length - shown.length;
  set(edge.note, hidden ? `${plural(hidden, "more path")} not shown: the filter finds them.` : wanted.length || !all.length ? "" : "No path here has that in it.");
}

// Moves nothing that stands right, so that the focus stays.
function place(parent, nodes) {
  const kept = new Set(nodes);
  for (const node of [...parent.children]) if (!kept.has(node)) node.remove();
  let at = parent.firstChild;
  for (const node of nodes) {
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
}

function drawEdges() {
  const words = find("filter").value.trim().toLowerCase();
  const idle = [];
  for (const edge of edges.values()) {
    for (const [path, entry] of edge.cold) if (now() - entry.at > COLD) edge.cold.delete(path);
    if (!edge.section && edge.name !== here && !edge.entries.size && !edge.cold.size) {
      idle.push(nameOf(edge));
      continue;
    }
    drawEdge(edge, words);
    if (!edge.section.isConnected) {
      if (edge.name === here) find("edges").prepend(edge.section);
      else find("edges").append(edge.section);
    }
  }
  const line = find("idle") ?? element("p", { id: "idle", className: "idle" });
  set(line, idle.length ? `Nobody has asked ${idle.slice(0, 6).join(", ")}${idle.length > 6 ? ` and ${idle.length - 6} more` : ""}.` : "");
  if (find("edges").lastChild !== line) find("edges").append(line);
}

// The log and the invalidations.

function drawLog() {
  const words = find("filter").value.trim().toLowerCase();
  log.length = Math.min(log.length, 2000);
  const lines = (words ? log.filter((event) => event.path.toLowerCase().includes(words)) : log).slice(0, LINES);
  const items = lines.map((event) => {
    const said = event.said.replace(" from cloudfront", "");
    const state = { Hit: "is-fresh", Error: "is-error", FunctionExecutionError: "is-error" }[said] ?? "is-stale";
    return element("li", {}, timeOf(event.at), element("span", { className: `state ${state}`, textContent: said }), `${event.status} `, element("code", { textContent: event.path }), ` ${event.place}`);
  });
  find("log").replaceChildren(...(items.length ? items : [NONE()]));
}

// `count`: of all of them, where only the first were told.
function list(paths, count = paths.length) {
  const items = paths.slice(0, ROWS).map((path) => element("li", {}, element("code", { textContent: path })));
  if (count > items.length) items.push(element("li", { textContent: `and ${number(count - items.length)} more` }));
  return element("ul", {}, ...items);
}

// Short lists lie open.
function folded(title, paths, count) {
  return element("details", { open: paths.length <= 8 }, element("summary", { textContent: title }), list(paths, count));
}

// Its element stays, and so does what somebody unfolded there.
function itemOf(invalidation) {
  if (!invalidation.item) {
    invalidation.state = element("span");
    const title = `${plural(invalidation.count, "path")} of ${invalidation.distribution}`;
    invalidation.item = element("li", {}, timeOf(invalidation.accepted), invalidation.state, element("code", { textContent: invalidation.id }), folded(title, invalidation.items, invalidation.count));
  }
  invalidation.isDone = now() >= invalidation.completes;
  set(invalidation.state, invalidation.isDone ? "completed" : "in progress");
  invalidation.state.className = `state is-${invalidation.isDone ? "fresh" : "stale"}`;
  for (const { place, paths } of invalidation.taken.splice(0)) {
    invalidation.item.append(folded(`took ${plural(paths.length, "entry")} from ${place}`, paths));
  }
  return invalidation.item;
}

function drawInvalidations() {
  const newest = [...invalidations.values()].reverse().slice(0, INVALIDATIONS);
  place(find("invalidations"), newest.length ? newest.map(itemOf) : [NONE()]);
}

let isDrawing = false;
function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    drawEdges();
    if (stale.log) drawLog();
    if (stale.invalidations) drawInvalidations();
    stale = {};
  });
}

// Once a second ages go on, and what is in progress may be completed.
setInterval(() => {
  for (const invalidation of invalidations.values()) stale.invalidations ||= invalidation.isDone === false && now() >= invalidation.completes;
  draw();
}, 1000);

find("filter").addEventListener("input", () => {
  stale.log = true;
  draw();
});

// The stream. A browser has six connections to a server: a page that nobody sees gives its own back.

let source;
function listen() {
  source?.close();
  source = undefined;
  if (document.hidden) return;
  source = new EventSource("events");
  const tell = (text, className) => {
    set(find("state"), text);
    find("state").className = className;
  };
  source.addEventListener("open", () => tell("Live", "live"));
  source.addEventListener("error", () => tell("Not connected; trying again", "lost"));
  source.addEventListener("snapshot", ({ data }) => {
    showSnapshot(JSON.parse(data));
    draw();
  });
  for (const name of ["past", "events"]) {
    source.addEventListener(name, ({ data }) => {
      const told = JSON.parse(data);
      ahead = told.now - Date.now();
      for (const event of told.events) take(event, name === "past");
      draw();
    });
  }
}
document.addEventListener("visibilitychange", listen);
addEventListener("pagehide", () => source?.close());
listen();
