// Requests to the server that the page came from. A failed one throws an Error with what the server says.

async function checked(answer) {
  if (answer.status === 401) {
    location.assign("/login");
    return new Promise(() => {});
  }
  if (!answer.ok) throw new Error((await answer.text()).trim() || `status ${answer.status}`);
  return answer.json();
}

export async function get(path, parameters = new URLSearchParams(), signal = undefined) {
  const query = parameters.toString();
  return checked(await fetch(query ? `${path}?${query}` : path, { signal }));
}

export async function post(path, content) {
  const headers = { "Content-Type": "application/json" };
  return checked(await fetch(path, { method: "POST", headers, body: JSON.stringify(content) }));
}

// A live tail: `onlines` gets lists of lines, `onmissed` what was passed over, `onstate` whether it is connected.
// Closed and opened again it goes on where it was; a lost connection does so by itself, by the Last-Event-ID.
export class Tail {
  constructor(parameters, { onlines, onmissed, onstate }) {
    this.parameters = parameters;
    this.handlers = { onlines, onmissed, onstate };
    this.place = "";
    this.source = null;
  }

  open() {
    const query = new URLSearchParams(this.parameters);
    if (this.place) query.set("from", this.place);
    const source = new EventSource(`/api/tail?${query}`);
    const noted = (handler) => (event) => {
      if (event.lastEventId) this.place = event.lastEventId;
      handler(JSON.parse(event.data));
    };
    source.addEventListener("lines", noted(this.handlers.onlines));
    source.addEventListener("missed", noted(this.handlers.onmissed));
    source.addEventListener("open", () => this.handlers.onstate("following"));
    source.addEventListener("error", () => {
      this.handlers.onstate("reconnecting …");
      if (source.readyState === EventSource.CLOSED && this.source === source) {
        this.retry = setTimeout(() => this.open(), 2000);
      }
    });
    this.source = source;
  }

  close() {
    clearTimeout(this.retry);
    if (this.source) this.source.close();
    this.source = null;
  }
}
