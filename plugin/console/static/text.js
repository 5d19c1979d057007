// What a container printed, as nodes: colours of ANSI escape sequences (SGR), everything else that a terminal would act
// upon, or that turns the direction of text, written out.
import { el } from "./dom.js";

const LONGEST = 4000;
const SEQUENCE = /\x1b\[([0-9;:]*)m/g;
const HARMFUL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

function plain(parent, text) {
  let from = 0;
  for (const match of text.matchAll(HARMFUL)) {
    if (match.index > from) parent.append(text.slice(from, match.index));
    const code = match[0].codePointAt(0);
    const shown = code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
    parent.append(el("span", { class: "control" }, shown));
    from = match.index + 1;
  }
  parent.append(text.slice(from));
}

function apply(style, codes) {
  const numbers = codes === "" ? [0] : codes.split(/[;:]/).map(Number);
  for (let place = 0; place < numbers.length; place += 1) {
    const code = numbers[place];
    if (code === 0) style = {};
    else if (code === 1) style = { ...style, bold: true };
    else if (code === 2) style = { ...style, faint: true };
    else if (code === 3) style = { ...style, italic: true };
    else if (code === 4) style = { ...style, underline: true };
    else if (code === 22) style = { ...style, bold: false, faint: false };
    else if (code === 23) style = { ...style, italic: false };
    else if (code === 24) style = { ...style, underline: false };
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) style = { ...style, colour: code };
    else if (code === 39) style = { ...style, colour: 0 };
    else if (code === 38 || code === 48) {
      const five = numbers[place + 1] === 5;
      if (code === 38 && five && numbers[place + 2] < 16) {
        const index = numbers[place + 2];
        style = { ...style, colour: index < 8 ? 30 + index : 82 + index };
      }
      place += five ? 2 : 4;
    }
  }
  return style;
}

function classes(style) {
  const names = Object.entries(style).filter(([name, on]) => on && name !== "colour").map(([name]) => name);
  if (style.colour) names.push(`sgr-${style.colour}`);
  return names.join(" ");
}

function coloured(parent, text) {
  let style = {};
  let from = 0;
  const put = (piece) => {
    if (!piece) return;
    const names = classes(style);
    if (!names) return plain(parent, piece);
    const span = el("span", { class: names });
    plain(span, piece);
    parent.append(span);
  };
  for (const match of text.matchAll(SEQUENCE)) {
    put(text.slice(from, match.index));
    style = apply(style, match[1]);
    from = match.index + match[0].length;
  }
  put(text.slice(from));
}

function asJson(text) {
  if (text.length > 262144 || !/^\s*[{[]/.test(text)) return undefined;
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : undefined;
  } catch {
    return undefined;
  }
}

// Fills an element with a line; what is long, or JSON, gets a button that unfolds it.
export function fill(parent, text) {
  const value = asJson(text);
  const short = text.length > LONGEST ? text.slice(0, LONGEST) : text;
  const body = el("span", { class: "body" });
  coloured(body, short);
  parent.append(body);
  if (value === undefined && short === text) return;
  const label = value === undefined ? `… all ${text.length.toLocaleString("en")} characters` : "{…}";
  const button = el("button", { type: "button", class: "unfold", "aria-expanded": "false", title: "Unfold, fold (e)" }, label);
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    body.replaceChildren();
    if (open && value !== undefined) {
      const pretty = el("span", { class: "json" });
      plain(pretty, JSON.stringify(value, null, 2));
      body.append(pretty);
    } else coloured(body, open ? text : short);
  });
  parent.prepend(button);
}
