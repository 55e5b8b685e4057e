// The manifests behind `-f`: files, directories (their *.yaml, *.yml and *.json), or `-` for standard input.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KINDS } from '../datastore/resources/index.ts';
import { type ManifestEntry, type ManifestObject, parseManifest } from '../datastore/resources/manifest.ts';
import { parseResource } from '../datastore/resources/parse.ts';
import { err, type Result } from '../lib/result.ts';
import { readStdin } from './read-stdin.ts';

export type FileOptions = {
  readonly filename: readonly string[];
  readonly recursive?: boolean;
  readonly namespace?: string;
};

/** Objects and refusals in the order of the files; `namespace` is that of objects which name none. */
export function readManifests(options: FileOptions): readonly ManifestEntry[] {
  const files = options.filename.flatMap((name) => filesOf(name, options.recursive === true));
  return files.flatMap((file): readonly ManifestEntry[] => {
    const text = file.ok ? readText(file.value) : file;
    if (!text.ok) return [text];
    const source = file.ok && file.value !== '-' ? file.value : 'standard input';
    const objects = parseManifest(text.value, source);
    return objects.map((object) => (object.ok ? inNamespace(object.value, options.namespace) : object));
  });
}

function filesOf(name: string, recursive: boolean): readonly Result<string>[] {
  if (name === '-') return [{ ok: true, value: name }];
  const stat = statSync(name, { throwIfNoEntry: false });
  if (stat === undefined) return [err(`Cannot read "${name}": no such file or directory, expected a manifest`)];
  if (!stat.isDirectory()) return [{ ok: true, value: name }];
  const entries = readdirSync(name, { recursive, encoding: 'utf8' }).filter((entry) => /\.(ya?ml|json)$/.test(entry));
  if (entries.length === 0) return [err(`Cannot read "${name}": no manifests, expected files *.yaml, *.yml or *.json`)];
  return entries.sort().map((entry) => ({ ok: true, value: join(name, entry) }));
}

function readText(name: string): Result<string> {
  try {
    return { ok: true, value: name === '-' ? readStdin() : readFileSync(name, 'utf8') };
  } catch (error) {
    return err(`Cannot read "${name}": ${error instanceof Error ? error.message : error}, expected a manifest`);
  }
}

function inNamespace(object: ManifestObject, namespace: string | undefined): ManifestEntry {
  const { resource, raw, source } = object;
  if (namespace === undefined || !KINDS[resource.kind].namespaced) return { ok: true, value: object };
  const metadata = Object(raw['metadata']);
  const own: unknown = metadata.namespace;
  if (own !== undefined && own !== null && own !== namespace) {
    const title = `${resource.kind} "${own}/${resource.metadata.name}"`;
    return err(`Cannot accept ${title}: metadata.namespace: "${own}", expected "${namespace}" as --namespace says`);
  }
  const placed = { ...raw, metadata: { ...metadata, namespace } };
  const parsed = parseResource(placed);
  return parsed.ok ? { ok: true, value: { resource: parsed.value, raw: placed, source } } : parsed;
}
