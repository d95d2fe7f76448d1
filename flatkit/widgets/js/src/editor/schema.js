// Completion, hover and the line about the key at the cursor, from the schema that Python sends. The place in the config is
// read off the indentation: that works while the text is half written, and while the kernel is busy.
import { snippetCompletion } from "@codemirror/autocomplete";
import { h } from "../lib/dom.js";

const LINE = /^( *)((?:- +)*)(?:([\w-]+):(?= |$))?( *)(.*)$/;
const parse = (text) => {
  const [, space, dashes, key, gap, rest] = LINE.exec(text);
  return {
    dash: dashes ? space.length : -1,
    indent: space.length + dashes.length,
    key,
    rest,
    value: space.length + dashes.length + (key ? key.length + 1 : 0) + gap.length,
  };
};
const isBlank = (text) => /^\s*(#|$)/.test(text);

/** The keys that lead to a line's mapping, outermost first; null inside a text block such as `inline: |`. */
export function pathAbove(doc, number, indent, dash) {
  const path = [];
  let limit = dash >= 0 ? dash + 0.5 : indent;
  for (let at = number - 1; at >= 1 && limit > 0; at -= 1) {
    const { text } = doc.line(at);
    if (isBlank(text)) continue;
    const line = parse(text);
    if (line.indent < limit && line.key !== undefined) {
      if (/^[|>][-+\d]*\s*(#.*)?$/.test(line.rest)) return null;
      path.unshift(line.key);
      limit = line.dash >= 0 ? line.dash + 0.5 : line.indent;
    } else if (line.dash >= 0 && line.indent <= limit && line.dash < limit) limit = line.dash + 0.5;
  }
  return path;
}

export class Schema {
  constructor(versions) {
    this.versions = versions;
  }

  structs(doc) {
    for (let at = 1; at <= Math.min(doc.lines, 50); at += 1) {
      const version = /^version: *["']?([\d.]+)/.exec(doc.line(at).text)?.[1];
      if (version && this.versions[version]) return this.versions[version];
    }
    return this.versions[Object.keys(this.versions).sort().at(-1)];
  }
  /** The keys of the mapping that a path leads to, or null. */
  keysAt(doc, path) {
    const { structs } = this.structs(doc);
    let name = "Config";
    for (const key of path) {
      name = structs[name]?.[key]?.struct;
      if (!name) return null;
    }
    return structs[name];
  }
  /** The key of a line, with its path and what the schema knows of it; null where there is none. */
  keyOfLine(doc, number) {
    const line = parse(doc.line(number).text);
    if (isBlank(doc.line(number).text) || line.key === undefined) return null;
    const path = pathAbove(doc, number, line.indent, line.dash);
    const field = path && this.keysAt(doc, path)?.[line.key];
    return field
      ? { path: [...path, line.key], field, from: doc.line(number).from + line.indent, length: line.key.length }
      : null;
  }

  complete = (context) => {
    const { doc } = context.state;
    const here = doc.lineAt(context.pos);
    const before = parse(here.text.slice(0, context.pos - here.from));
    const word = context.matchBefore(/[\w./-]*/);
    if (/^\s*#/.test(here.text) || (word.from === word.to && !context.explicit)) return null;
    const path = pathAbove(doc, here.number, before.indent, before.dash);
    const keys = path && this.keysAt(doc, path);
    if (!keys) return null;
    if (before.key !== undefined) return this.values(keys[before.key], before.key, word);
    if (/\S\s/.test(before.rest)) return null;
    const there = this.siblings(doc, here.number, before);
    const options = Object.entries(keys)
      .filter(([key]) => !there.has(key))
      .map(([key, field]) => this.option(key, field, before.indent - /^ */.exec(here.text)[0].length));
    return { from: word.from, options, validFor: /^[\w-]*$/ };
  };
  /** `inner` is how much deeper than its line a key stands, behind dashes; a snippet keeps the line's own indentation. */
  option(key, field, inner) {
    const deeper = `\n${" ".repeat(inner + 2)}`;
    const more = field.struct ? `:${deeper}${field.list ? "- " : ""}` : field.list ? `:${deeper}- ` : ": ";
    return snippetCompletion(`${key}${more}\${}`, {
      label: key,
      detail: field.type,
      info: () => this.about(key, field),
      type: "property",
    });
  }
  values(field, key, word) {
    const known =
      key === "variant" ? ["flatcar"] : key === "version" ? Object.keys(this.versions) : (field?.choices ?? []);
    const all = known.length
      ? known
      : field?.type === "boolean"
        ? ["true", "false"]
        : key === "mode"
          ? ["0644", "0755", "0600"]
          : [];
    return all.length
      ? { from: word.from, options: all.map((label) => ({ label, type: "enum" })), validFor: /^[\w./-]*$/ }
      : null;
  }
  /** The keys that the same mapping has already. */
  siblings(doc, number, mine) {
    const found = new Set();
    const look = (step) => {
      for (let at = number + step; at >= 1 && at <= doc.lines; at += step) {
        const { text } = doc.line(at);
        if (isBlank(text)) continue;
        const line = parse(text);
        if (line.indent < mine.indent || (step > 0 && line.indent === mine.indent && line.dash >= 0)) break;
        if (line.indent === mine.indent && line.key) found.add(line.key);
        if (step < 0 && line.indent === mine.indent && line.dash >= 0) break;
      }
    };
    if (mine.dash < 0) look(-1);
    look(1);
    return found;
  }
  about(key, field) {
    return h(
      "div",
      { class: "fk-about" },
      h("div", {}, h("b", {}, key), ` ${field.type}`),
      h("div", {}, field.doc),
      field.choices.length ? h("div", {}, `One of: ${field.choices.join(", ")}`) : null,
      field.default ? h("div", {}, `Default: ${field.default}`) : null,
    );
  }
  hover = (view, pos) => {
    const found = this.keyOfLine(view.state.doc, view.state.doc.lineAt(pos).number);
    if (!found || pos < found.from || pos > found.from + found.length) return null;
    return {
      pos: found.from,
      end: found.from + found.length,
      above: true,
      create: () => ({ dom: this.about(found.path.at(-1), found.field) }),
    };
  };
}
