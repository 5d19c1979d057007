// How many lines match, over time and by level. A bar chooses its span.
import { el } from "./dom.js";

const LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "none"];

export function draw(parent, content, onspan) {
  const totals = content.spans.map((span) => Object.values(span).reduce((sum, count) => sum + count, 0));
  const highest = Math.max(1, ...totals);
  const begin = content.begin ? Date.parse(content.begin) : 0;
  const sum = totals.reduce((all, count) => all + count, 0);
  parent.hidden = !sum;
  parent.setAttribute("aria-label", `${sum} lines match${content.timed_out ? ", and more that were not looked at in time" : ""}`);
  parent.replaceChildren(
    ...content.spans.map((span, place) => {
      const from = new Date(begin + place * content.seconds * 1000);
      const until = new Date(from.getTime() + content.seconds * 1000 - 1);
      const title = `${from.toLocaleString()}: ${totals[place]}`;
      const bar = el("button", { type: "button", class: "bar", title, onclick: () => onspan(from, until) });
      for (const level of LEVELS) {
        if (!span[level]) continue;
        const part = el("span", { class: `part level-${level}` });
        part.style.height = `${(100 * span[level]) / highest}%`;
        bar.append(part);
      }
      return bar;
    }),
  );
}
