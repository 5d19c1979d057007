// The containers, by Compose project or stack, with what they print and what is wrong.
import { $, bytes, el } from "./dom.js";

export class Sidebar {
  constructor(onchoose) {
    this.onchoose = onchoose;
    this.containers = [];
    this.chosen = new Set();
    this.levels = new Map();
    this.rates = new Map();
    this.buttons = new Map();
    $("filter").addEventListener("input", () => this.render());
  }

  // Takes an overview; the rate of a container is that between two of them.
  take(overview) {
    const now = Date.parse(overview.time);
    for (const one of overview.containers) {
      const before = this.rates.get(one.container_id);
      if (one.received_bytes === null) continue;
      const passed = before ? (now - before.time) / 1000 : 0;
      const rate = passed > 0 ? Math.max(0, one.received_bytes - before.received) / passed : 0;
      this.rates.set(one.container_id, { time: now, received: one.received_bytes, rate });
    }
    this.containers = overview.containers;
    this.render();
  }

  count(lines) {
    for (const line of lines) {
      if (line.level !== "error" && line.level !== "fatal" && line.level !== "warn") continue;
      const counts = this.levels.get(line.container_id) ?? { warn: 0, error: 0 };
      counts[line.level === "warn" ? "warn" : "error"] += 1;
      this.levels.set(line.container_id, counts);
    }
  }

  groups() {
    const wanted = $("filter").value.trim().toLowerCase();
    const groups = new Map();
    for (const one of this.containers) {
      const words = `${one.container_name} ${one.container_id} ${one.image} ${one.project} ${one.service}`.toLowerCase();
      if (wanted && !words.includes(wanted)) continue;
      const project = one.project || "This host";
      if (!groups.has(project)) groups.set(project, []);
      groups.get(project).push(one);
    }
    const order = (one) => [one.state === "running" ? 0 : 1, one.container_name, one.created];
    for (const list of groups.values()) list.sort((a, b) => (String(order(a)) < String(order(b)) ? -1 : 1));
    return [...groups].sort(([a], [b]) => (a === "This host") - (b === "This host") || a.localeCompare(b));
  }

  render() {
    const focused = document.activeElement?.dataset?.container;
    const made = [this.button("", "All containers", "", this.chosen.size === 0)];
    for (const [project, list] of this.groups()) {
      const ids = list.map((one) => one.container_id);
      const heading = el("button", { type: "button", class: "project", onclick: () => this.choose(ids) }, project);
      made.push(el("h2", { dir: "auto" }, heading));
      made.push(el("ul", {}, ...list.map((one) => el("li", {}, this.container(one)))));
    }
    $("containers").replaceChildren(...made);
    if (focused !== undefined) $("containers").querySelector(`[data-container="${focused}"]`)?.focus();
  }

  container(one) {
    const health = this.health(one);
    const rate = this.rates.get(one.container_id)?.rate ?? 0;
    const counts = this.levels.get(one.container_id);
    const button = this.button(
      one.container_id,
      one.container_name || one.container_id.slice(0, 12),
      `${one.state} ${health}`,
      this.chosen.has(one.container_id),
    );
    button.title = [one.image, one.container_id.slice(0, 12), one.state, health].filter(Boolean).join("\n");
    if (rate >= 1) button.append(el("small", {}, `${bytes(rate)}/s`));
    if (counts?.error) button.append(el("small", { class: "count error", title: "errors seen" }, String(counts.error)));
    if (counts?.warn) button.append(el("small", { class: "count warn", title: "warnings seen" }, String(counts.warn)));
    return button;
  }

  button(id, name, classes, chosen) {
    const click = (event) => this.choose(id ? [id] : [], event.ctrlKey || event.metaKey || event.shiftKey);
    return el(
      "button",
      { type: "button", class: `container ${classes}`, "data-container": id, "aria-pressed": String(chosen), onclick: click },
      el("span", { class: "title", dir: "auto" }, name),
    );
  }

  health(one) {
    const sinks = one.sinks ?? [];
    if (sinks.some((sink) => sink.faults.length)) return "misconfigured";
    if (one.dropped_lines) return "dropped";
    return sinks.some((sink) => sink.lag_seconds > 60) ? "behind" : "";
  }

  choose(ids, add = false) {
    const chosen = new Set(add ? this.chosen : []);
    for (const id of ids) {
      if (add && chosen.has(id)) chosen.delete(id);
      else chosen.add(id);
    }
    this.chosen = chosen;
    this.render();
    this.onchoose();
  }
}
