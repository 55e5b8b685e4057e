// Manifests as people write them: YAML of several documents, JSON, one object behind the other, and lists, down to single
// objects.
import { LineCounter, parseAllDocuments } from 'yaml';
import { err } from '../../lib/result.ts';
import type { Resource } from './index.ts';
import { jsonParts, parseJson } from './json-text.ts';
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
  const json = parseJson(text);
  if (json !== undefined) return readObject(json, { source, line: (/^\s*/.exec(text)?.[0] ?? '').split('\n').length });
  const parts = jsonParts(text);
  if (parts !== undefined) return parts.flatMap(({ value, line }) => readObject(value, { source, line }));
  // JSON is YAML, except that YAML forbids the tabs that JSON may be indented with.
  return readDocuments(text.replaceAll('\t', ' '), source);
}

function readDocuments(text: string, source: string): readonly ManifestEntry[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const line = (offset: number): number => lines.linePos(offset).line;
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
  return isRecord(raw)
    ? [{ ok: true, value: { resource: parsed.value, raw: withoutText(raw, parsed.value), source } }]
    : [];
}

// What was written is kept as the last applied manifest, and shown: of a Secret not as text.
function withoutText(raw: Readonly<Record<string, unknown>>, resource: Resource): Readonly<Record<string, unknown>> {
  if (resource.kind !== 'Secret' || resource.data === undefined) return raw;
  const { stringData: _, ...rest } = raw;
  return { ...rest, data: resource.data };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
