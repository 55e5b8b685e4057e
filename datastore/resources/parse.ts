// The one door for objects from outside: manifests, stored rows and API answers become typed resources here.
import type { z } from 'zod';
import { err, ok, type Result } from '../../lib/result.ts';
import { formatIssues } from './format-issues.ts';
import { isKind, KIND_NAMES, KINDS, type Resource } from './index.ts';

/**
 * Reads one object. A field that is `null` counts as absent, as the API server decodes it; unknown fields are kept.
 * The error names the object and every field that is wrong.
 */
export function parseResource(raw: unknown): Result<Resource> {
  if (!isRecord(raw)) return err(`Cannot accept object: ${describe(raw)}, expected an object with apiVersion and kind`);
  const { kind, apiVersion } = raw;
  const title = titleOf(raw);
  if (typeof kind !== 'string' || !isKind(kind)) {
    const why = kind === undefined || kind === null ? 'is missing' : 'unknown';
    return err(`Cannot accept kind ${title}: ${why}, expected one of ${KIND_NAMES.join(', ')}`);
  }
  const expected = KINDS[kind].apiVersion;
  if (apiVersion !== expected) {
    return err(`Cannot accept ${title}: apiVersion: ${describe(apiVersion)}, expected "${expected}"`);
  }
  const value = withoutNulls(raw);
  const schema: z.ZodType<Resource> = KINDS[kind].schema;
  const parsed = schema.safeParse(value);
  return parsed.success ? ok(parsed.data) : err(`Cannot accept ${title}: ${formatIssues(parsed.error.issues, value)}`);
}

/** Whether that is what `parseResource` says about an object of a kind that is none of ours, such as a Deployment. */
export const isUnknownKind = (error: string): boolean =>
  /^Cannot accept kind .*: unknown, expected one of /.test(error);

/** `NetworkPolicy "shop/web"`, as far as the raw object tells. */
function titleOf(raw: Readonly<Record<string, unknown>>): string {
  const { kind, metadata } = raw;
  const known = typeof kind === 'string' && isKind(kind);
  const head = known ? kind : typeof kind === 'string' ? `"${kind}"` : '';
  const { name, namespace } = isRecord(metadata) ? metadata : {};
  if (typeof name !== 'string') return known ? `${head} without a name` : head === '' ? 'of an object' : head;
  const scope = typeof namespace === 'string' ? namespace : known ? 'default' : undefined;
  const path = scope === undefined || (known && !KINDS[kind].namespaced) ? name : `${scope}/${name}`;
  return known ? `${head} "${path}"` : `${head} of "${path}"`.trimStart();
}

/** As the API server decodes: a field that is `null` is absent. The value itself where there is none, as nearly always. */
export const withoutNulls = (value: unknown): unknown => (hasNulls(value) ? stripNulls(value) : value);

function hasNulls(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(hasNulls);
  for (const key in value) {
    const field: unknown = Reflect.get(value, key);
    if (field === null || field === undefined || hasNulls(field)) return true;
  }
  return false;
}

function stripNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stripNulls);
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).filter(([, field]) => field !== null && field !== undefined);
  return Object.fromEntries(entries.map(([key, field]) => [key, stripNulls(field)]));
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return 'is missing';
  return typeof value === 'object' ? (Array.isArray(value) ? 'is a list' : 'is an object') : JSON.stringify(value);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
