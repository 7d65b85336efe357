"use strict";
// Everything that is shown is set as text, never as markup.
const { web, columns, rows } = JSON.parse(document.getElementById("data").textContent);
const at = Object.fromEntries(columns.map((name, index) => [name, index]));
const STEP = 200;
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];
const body = document.querySelector("#filesets tbody");
const said = document.getElementById("shown");
const end = document.getElementById("end");
const search = document.getElementById("search");
const states = [...document.querySelectorAll("fieldset input")];
const heads = [...document.querySelectorAll("#filesets th")];
const words = new Intl.Collator(undefined, { numeric: true });
const count = new Intl.NumberFormat("en");
// What needs a person comes first.
const trouble = (row) => Number(["failed", "incomplete"].includes(row[at.state]) || row[at.differs]);
rows.sort((one, other) => trouble(other) - trouble(one));
let sought = null;
let found = rows;
let drawn = 0;

function size(bytes) {
  let unit = 0;
  while (bytes >= 1000 && unit < UNITS.length - 1) { bytes /= 1000; unit += 1; }
  return `${unit ? bytes.toFixed(1) : bytes} ${UNITS[unit]}`;
}

function link(kind, id, text) {
  if (!web || id === null) return document.createTextNode(text);
  const made = document.createElement("a");
  made.href = `${web}/webclient/?show=${kind}-${id}`;
  made.rel = "noreferrer";
  made.textContent = text;
  return made;
}

function shown(row, name) {
  const value = row[at[name]];
  if (name === "size") return document.createTextNode(size(value));
  if (name === "files") return document.createTextNode(count.format(value));
  if (name === "images") return value ? link("image", row[at.image], count.format(value)) : document.createTextNode("");
  if (name === "dataset") return link("dataset", row[at.dataset_id], value);
  return document.createTextNode(value);
}

function drawnRow(row) {
  const line = document.createElement("tr");
  line.className = row[at.differs] ? "differs" : row[at.state];
  for (const head of heads) {
    const cell = document.createElement(head.dataset.column === "path" ? "th" : "td");
    if (cell.tagName === "TH") cell.scope = "row";
    cell.className = head.className;
    const inside = head.matches(".path, .words") ? cell.appendChild(document.createElement("div")) : cell;
    inside.dir = "auto";
    inside.append(shown(row, head.dataset.column));
    line.append(cell);
  }
  return line;
}

function draw(many) {
  const some = document.createDocumentFragment();
  for (const row of found.slice(drawn, drawn + many)) some.append(drawnRow(row));
  drawn = Math.min(found.length, drawn + many);
  body.append(some);
}

function compared(one, other) {
  return typeof one === "number" ? one - other : words.compare(one, other);
}

function update() {
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const ticked = new Set(states.filter((box) => box.checked).map((box) => box.value));
  if (wanted.length && !sought) {
    const texts = heads.map((head) => at[head.dataset.column]);
    sought = new Map(rows.map((row) => [row, texts.map((index) => row[index]).join("\n").toLowerCase()]));
  }
  found = rows.filter((row) =>
    (!ticked.size || ticked.has(row[at.state]) || (row[at.differs] && ticked.has("differs")))
    && wanted.every((word) => sought.get(row).includes(word)));
  const sorted = heads.find((head) => head.getAttribute("aria-sort") !== "none");
  if (sorted) {
    const index = at[sorted.dataset.column];
    const way = sorted.getAttribute("aria-sort") === "ascending" ? 1 : -1;
    found.sort((one, other) => way * compared(one[index], other[index]));
  }
  body.replaceChildren();
  drawn = 0;
  draw(STEP);
  look();
  said.textContent = `${count.format(found.length)} of ${count.format(rows.length)} filesets`;
}

for (const head of heads) {
  head.querySelector("button").addEventListener("click", () => {
    const next = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    for (const each of heads) each.setAttribute("aria-sort", each === head ? next : "none");
    update();
  });
}
search.addEventListener("input", update);
for (const box of states) box.addEventListener("change", update);
// More rows before the reader comes to the end of those that are there; for paper, all of them.
const nearing = new IntersectionObserver((seen) => {
  if (!seen.at(-1).isIntersecting || drawn >= found.length) return;
  draw(STEP);
  look();
}, { rootMargin: "2000px" });
function look() {
  // Observed anew, it is told at once where it is; otherwise only once that changes.
  nearing.unobserve(end);
  nearing.observe(end);
}
addEventListener("beforeprint", () => draw(found.length));
update();
