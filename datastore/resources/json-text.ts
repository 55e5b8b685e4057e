// JSON in manifests: one value, or objects one behind the other. Read without the YAML parser, which takes many times
// as long: `get -o json` of a cluster is a large text.

/** The value, unless it is not JSON or a key stands twice in an object: whoever reads YAML tells where. */
export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return hasDoubleKeys(text) ? undefined : value;
  } catch {
    return undefined;
  }
}

/** The objects of a text of nothing but JSON objects, each with the line where it begins. Absent: it is not such a text. */
export function jsonParts(text: string): readonly { readonly line: number; readonly value: unknown }[] | undefined {
  const parts: { readonly line: number; readonly value: unknown }[] = [];
  let [depth, start, line] = [0, 0, 1];
  let startLine = 1;
  for (const { token, index } of tokensOf(text)) {
    if (token === '\n') line++;
    else if (token === '{' && depth++ === 0) [start, startLine] = [index, line];
    else if (token === '}' && --depth === 0) {
      const value = parseJson(text.slice(start, index + 1));
      if (value === undefined) return undefined;
      parts.push({ line: startLine, value });
    } else if (depth < 1) return undefined;
  }
  return depth === 0 ? parts : undefined;
}

function hasDoubleKeys(json: string): boolean {
  const scopes: Set<string>[] = [];
  let latest = '';
  for (const { token } of tokensOf(json)) {
    if (token === '{') scopes.push(new Set());
    else if (token === '}') scopes.pop();
    else if (token.startsWith('"')) latest = token;
    else if (token === ':') {
      const keys = scopes.at(-1);
      if (keys?.has(latest)) return true;
      keys?.add(latest);
    }
  }
  return false;
}

/** Strings as a whole, ends of lines, and any other character that is no space. */
function* tokensOf(text: string): Generator<{ readonly token: string; readonly index: number }> {
  const start = /[^ \t\r]/g;
  for (let found = start.exec(text); found !== null; found = start.exec(text)) {
    const { index } = found;
    // No pattern for strings: its steps back would not fit on the stack for those of a megabyte.
    const end = found[0] === '"' ? endOfString(text, index + 1) : index + 1;
    yield { token: text.slice(index, end), index };
    start.lastIndex = end;
  }
}

function endOfString(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}
