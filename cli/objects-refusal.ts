// What the API server would refuse of a manifest before it stores anything, in kubectl's words.
import { apiRefusals } from '../datastore/resources/api-refusals.ts';
import { KINDS } from '../datastore/resources/index.ts';
import type { ManifestObject } from '../datastore/resources/manifest.ts';
import { unknownFields } from '../datastore/resources/unknown-fields.ts';
import type { Store } from '../datastore/store.ts';
import { failedWith } from './objects-report.ts';

/** Fields that the kind does not have: `unknown field "spec.foo"`. */
export const unknown = ({ resource, raw }: ManifestObject): readonly string[] =>
  unknownFields(resource.kind, raw).map((path) => `unknown field "${path}"`);

/** Why the object cannot be decoded strictly. Absent: it can. */
export function strictRefusal(object: ManifestObject): string | undefined {
  const fields = unknown(object);
  if (fields.length === 0) return undefined;
  const { kind } = object.resource;
  const version = KINDS[kind].apiVersion.replace(/^.*\//, '');
  return `Error from server (BadRequest): error when creating "${sourceOf(object)}": ${kind} in version "${version}" cannot be handled as a ${kind}: strict decoding error: ${fields.join(', ')}`;
}

/** Why the object is not valid, where schemas are more tolerant than the API server. Absent: it is. */
export function apiRefusal({ resource, raw }: ManifestObject): string | undefined {
  const causes = apiRefusals(resource, raw);
  const [first] = causes;
  if (first === undefined) return undefined;
  const about = `The ${resource.kind} "${resource.metadata.name}" is invalid:`;
  return causes.length === 1 ? `${about} ${first}` : [about, ...causes.map((cause) => `* ${cause}`)].join('\n');
}

/** Namespaces that an API server creates by itself. */
const BUILT_IN: readonly string[] = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** Why a new object cannot be in its namespace: there is none. @throws StoreError when the store cannot be read */
export async function namespaceRefusal(store: Store, object: ManifestObject): Promise<string | undefined> {
  const { kind, metadata } = object.resource;
  if (!KINDS[kind].namespaced) return undefined;
  const name = String(metadata['namespace']);
  const isThere = async (
    asked: 'Namespace' | typeof kind,
    within: string | undefined,
    of: string,
  ): Promise<boolean> => {
    try {
      return (await store.get(asked, within, of)) !== undefined;
    } catch (error) {
      // It is there, and cannot be read.
      if (failedWith(error, 'invalid')) return true;
      throw error;
    }
  };
  if (BUILT_IN.includes(name) || (await isThere('Namespace', undefined, name))) return undefined;
  if (await isThere(kind, name, metadata.name)) return undefined;
  return `Error from server (NotFound): error when creating "${sourceOf(object)}": namespaces "${name}" not found`;
}

const sourceOf = ({ source }: ManifestObject): string => (source === 'standard input' ? 'STDIN' : source);
