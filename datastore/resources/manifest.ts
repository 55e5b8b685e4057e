// Manifests as people write them: YAML of several documents, JSON, one object behind the other, and lists, down to single
// objects.
import { LineCounter, parseAllDocuments } from 'yaml';
import { err } from '../../lib/result.ts';
import type { Resource } from './index.ts';
import { parseResource } from './parse.ts';

/** One object of a manifest: as the schema reads it, as it was written, and in which file. */
export type ManifestObject = {
  readonly resource: Resource;
  readonly raw: Readonly<Record<string, unknown>>;
  readonly source: string;
};

/** An object, or why there is none: `raw` is what its schema refuses, absent where the text is malformed. */
export type ManifestEntry =
  | { readonly ok: true; readonly value: ManifestObject }
  | { readonly ok: false; readonly error: string; readonly raw?: unknown };

/**
 * One entry per object, in the order of the text; empty documents are none. `source` (a file name) and the line begin
 * the error of a text that is not YAML; one bad document does not hide the others.
 */
export function parseManifest(text: string, source: string): readonly ManifestEntry[] {
  if (!/^\s*[{[]/.test(text)) return readDocuments(text, source);
  // JSON is YAML, except that YAML forbids the tabs that JSON may be indented with, and objects without a line between.
  const spaced = text.replaceAll('\t', ' ');
  const objects = jsonObjects(spaced);
  if (objects.length === 0) return readDocuments(spaced, source);
  return objects.flatMap(({ line, json }) => readDocuments(json, source, line));
}

function readDocuments(text: string, source: string, firstLine = 1): readonly ManifestEntry[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const line = (offset: number): number => lines.linePos(offset).line + firstLine - 1;
    const [problem] = document.errors;
    if (problem !== undefined) return [err(malformed(source, line(problem.pos[0]), problem.message))];
    if (document.contents === null) return [];
    const where = { source, line: line(document.contents.range?.[0] ?? 0) };
    try {
      return readObject(document.toJS({ maxAliasCount: 100 }), where);
    } catch (error) {
      return [err(malformed(source, line(document.range[0]), error instanceof Error ? error.message : String(error)))];
    }
  });
}

/** The objects of a text of several JSON objects, each with its line. Empty: it is not such a text. */
function jsonObjects(text: string): readonly { readonly line: number; readonly json: string }[] {
  const objects: { readonly line: number; readonly json: string }[] = [];
  let [depth, start, line] = [0, 0, 1];
  let startLine = 1;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\\n]|\\.)*"|[{}\n]|[^\s{}"]+/g)) {
    if (token === '\n') line++;
    else if (token === '{' && depth++ === 0) [start, startLine] = [index, line];
    else if (token === '}' && --depth === 0) objects.push({ line: startLine, json: text.slice(start, index + 1) });
    else if (depth < 1 && token !== '}') return [];
  }
  return depth === 0 && objects.length > 1 && objects.every(({ json }) => isJson(json)) ? objects : [];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function malformed(source: string, line: number, why: string): string {
  const reason = why.replace(/\s+/g, ' ').replace(/^[A-Z](?=[a-z])/, (first) => first.toLowerCase());
  return `Cannot parse manifest "${source}:${line}": ${reason}, expected YAML or JSON`;
}

type Where = { readonly source: string; readonly line: number };

function readObject(raw: unknown, where: Where): readonly ManifestEntry[] {
  if (raw === null || raw === undefined) return [];
  if (isRecord(raw) && typeof raw['kind'] === 'string' && raw['kind'].endsWith('List') && Array.isArray(raw['items'])) {
    const { kind, apiVersion } = raw;
    // The items of a typed list such as PodList need not say what they are.
    const own = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -'List'.length) };
    return raw['items'].flatMap((item) => readObject(isRecord(item) ? { ...own, ...item } : item, where));
  }
  const parsed = parseResource(raw);
  const { source, line } = where;
  if (!parsed.ok) return [{ ok: false, error: `${parsed.error} (${source}:${line})`, raw }];
  // What the schema accepts is a record.
  return isRecord(raw) ? [{ ok: true, value: { resource: parsed.value, raw, source } }] : [];
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
