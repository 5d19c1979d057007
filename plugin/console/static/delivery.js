// Destinations with what waits and what fails, and dead letters, which can be sent again.
import { get, post } from "./api.js";
import { $, bytes, el, seconds } from "./dom.js";
import { fill } from "./text.js";

function table(columns, rows) {
  const head = el("thead", {}, el("tr", {}, ...columns.map((name) => el("th", { scope: "col" }, name))));
  const body = el("tbody", {}, ...rows.map((cells) => el("tr", {}, ...cells.map((cell) => el("td", { dir: "auto" }, cell)))));
  return el("div", { class: "scroll" }, el("table", {}, head, body));
}

export function showDestinations(overview) {
  const lag = new Map();
  for (const container of overview.containers) {
    for (const sink of container.sinks ?? []) {
      const sum = lag.get(sink.destination) ?? { bytes: 0, seconds: 0 };
      sum.bytes += sink.lag_bytes;
      sum.seconds = Math.max(sum.seconds, sink.lag_seconds);
      lag.set(sink.destination, sum);
    }
  }
  const rows = overview.destinations.map((one) => {
    const waits = lag.get(one.id);
    return [
      el("strong", { class: `state-${one.state}` }, one.state),
      one.address ? `${one.sink}@${one.address}` : one.sink,
      String(one.containers),
      waits?.bytes ? `${bytes(waits.bytes)}, ${seconds(waits.seconds)}` : "0",
      String(one.records),
      String(one.dead_letters),
      one.last_error,
    ];
  });
  const columns = ["state", "destination", "containers", "behind by", "delivered", "dead", "newest error"];
  const shown = rows.length ? table(columns, rows) : el("p", {}, "No container has a sink.");
  $("destinations").replaceChildren(...overview.faults.map((text) => el("p", { class: "fault" }, String(text))), shown);
}

export async function showDead() {
  const section = $("dead");
  let content;
  try {
    content = await get("/api/dead");
  } catch (error) {
    section.replaceChildren(el("p", { role: "alert" }, error.message));
    return;
  }
  if (!content.letters.length) {
    section.replaceChildren(el("p", {}, "No dead letters: no destination has refused a line for good."));
    return;
  }
  const sinks = new Map();
  for (const letter of content.letters) {
    const key = `${letter.container_id} ${letter.sink}`;
    if (!sinks.has(key)) sinks.set(key, []);
    sinks.get(key).push(letter);
  }
  const parts = [];
  for (const letters of sinks.values()) {
    const [{ container_id: container, container_name: name, sink }] = letters;
    const said = el("span", { role: "status" });
    const again = el("button", { type: "button" }, "Send again");
    again.addEventListener("click", async () => {
      again.disabled = true;
      said.textContent = "sending …";
      try {
        said.textContent = (await post("/api/dead/again", { container_id: container, sink })).said;
      } catch (error) {
        said.textContent = error.message;
      }
      again.disabled = false;
    });
    parts.push(el("h2", { dir: "auto" }, `${name || container.slice(0, 12)}, ${sink} `, again, said));
    const rows = letters.map((one) => [new Date(one.time).toLocaleString(), one.reason, text(one)]);
    parts.push(table(["time", "reason", "line"], rows));
  }
  section.replaceChildren(...parts);
}

function text(letter) {
  const shown = el("span", { class: "text" });
  if (letter.among) shown.append(`some of the ${letter.among} lines from here on`);
  else fill(shown, letter.line ?? "(not UTF-8)");
  return shown;
}
