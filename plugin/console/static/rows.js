// The window of rows: the newest lines while following, else those around where one looks. It never holds more than MOST.
import { el } from "./dom.js";
import { fill } from "./text.js";

export const MOST = 2000;
const CONTINUES = /^(?:\s+\S|Caused by[: ]|Suppressed: |\}|\)|Traceback \(most recent call last\)|goroutine \d)/;
const HUES = 12;

function hue(name) {
  let sum = 0;
  for (const sign of name) sum = (sum * 31 + sign.codePointAt(0)) >>> 0;
  return sum % HUES;
}

export class Rows {
  constructor(log, { onopen, onolder, onbottom }) {
    this.log = log;
    this.onopen = onopen;
    this.utc = false;
    this.chosen = null;
    this.seen = new Set();
    this.atBottom = true;
    this.lastTop = 0;
    log.addEventListener("scroll", () => {
      const bottom = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
      if (bottom !== this.atBottom) onbottom(bottom);
      this.atBottom = bottom;
      if (log.scrollTop < 80 && log.scrollTop < this.lastTop) onolder();
      this.lastTop = log.scrollTop;
    });
  }

  clear() {
    this.log.replaceChildren();
    this.seen.clear();
    this.chosen = null;
  }

  key(line) {
    return `${line.container_id}/${line.offset}/${line.stream}`;
  }

  // Adds lines behind those that are there; rows that fall out of the window go from the top.
  append(lines, stick) {
    const fresh = this.fresh(lines);
    if (!fresh.length) return;
    const piece = document.createDocumentFragment();
    let previous = this.lastLine();
    for (const line of fresh.slice(-MOST)) {
      piece.append(this.row(line, previous));
      previous = line;
    }
    this.log.append(piece);
    while (this.log.childElementCount > MOST) this.drop(this.log.firstElementChild);
    if (stick) this.log.scrollTop = this.log.scrollHeight;
  }

  // Adds older lines in front; the row at the top stays where it is on the screen.
  prepend(lines) {
    const fresh = this.fresh(lines);
    if (!fresh.length) return 0;
    const height = this.log.scrollHeight;
    const piece = document.createDocumentFragment();
    let previous = null;
    for (const line of fresh) {
      piece.append(this.row(line, previous));
      previous = line;
    }
    this.log.prepend(piece);
    this.log.scrollTop += this.log.scrollHeight - height;
    while (this.log.childElementCount > MOST) this.drop(this.log.lastElementChild);
    return fresh.length;
  }

  note(text) {
    this.log.append(el("div", { class: "row note", role: "note" }, text));
  }

  first() {
    return [...this.log.children].find((row) => row.line)?.line ?? null;
  }

  lastLine() {
    return this.log.lastElementChild?.line ?? null;
  }

  choose(row) {
    if (!row) return;
    if (this.chosen) this.chosen.removeAttribute("aria-current");
    this.chosen = row;
    row.setAttribute("aria-current", "true");
    row.scrollIntoView({ block: "nearest" });
  }

  move(step) {
    const from = this.chosen?.isConnected ? this.chosen : null;
    if (!from) return this.choose(step > 0 ? this.log.firstElementChild : this.log.lastElementChild);
    this.choose(step > 0 ? from.nextElementSibling : from.previousElementSibling);
  }

  find(containerId, offset) {
    return [...this.log.children].find((row) => row.line?.container_id === containerId && row.line.offset === offset);
  }

  showTimes() {
    for (const row of this.log.children) if (row.line) row.firstElementChild.textContent = this.time(row.line);
  }

  fresh(lines) {
    const fresh = lines.filter((line) => !this.seen.has(this.key(line)));
    for (const line of fresh) this.seen.add(this.key(line));
    return fresh;
  }

  drop(row) {
    if (row.line) this.seen.delete(this.key(row.line));
    row.remove();
  }

  time(line) {
    if (this.utc) return line.time.slice(0, 23).replace("T", " ");
    const moment = new Date(line.time);
    const two = (number) => String(number).padStart(2, "0");
    const date = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
    const clock = `${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}`;
    return `${date} ${clock}.${String(moment.getMilliseconds()).padStart(3, "0")}`;
  }

  row(line, previous) {
    const continued =
      previous && previous.container_id === line.container_id && previous.stream === line.stream && CONTINUES.test(line.line);
    const row = el(
      "div",
      { class: continued ? "row continued" : "row", "data-level": line.level ?? "", "data-stream": line.stream },
      el("time", { datetime: line.time }, this.time(line)),
    );
    const name = line.container_name || line.container_id.slice(0, 12);
    row.append(el("span", { class: `name hue-${hue(name)}`, dir: "auto", title: line.container_id }, name));
    const text = el("span", { class: "text", dir: "ltr" });
    fill(text, line.line);
    row.append(text);
    row.line = line;
    row.addEventListener("click", () => {
      if (!String(getSelection())) this.choose(row);
    });
    row.addEventListener("dblclick", () => this.onopen(line));
    return row;
  }
}
