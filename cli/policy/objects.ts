// The objects that the policy commands are about, from manifests. A policy that cannot be read has the effect that it
// would have in an agent; any other object that cannot be used is told and left out, and with it nothing else.
import type { Command } from 'commander';
import { isRecord } from '../../datastore/resources/closed-part.ts';
import { closedPolicy } from '../../datastore/resources/closed-policy.ts';
import { KINDS, keyOf, type Resource, type ResourceKey, resourceKey } from '../../datastore/resources/index.ts';
import { labelName, subdomainName } from '../../datastore/resources/metadata.ts';
import { isUnknownKind, parseResource } from '../../datastore/resources/parse.ts';
import { unknownFields } from '../../datastore/resources/unknown-fields.ts';
import { problemsOf } from '../../felix/model/feed-policy.ts';
import { unwrap } from '../../lib/result.ts';
import { isPolicyResource, type PolicyResource } from '../../policy/convert/policy.ts';
import { collect } from '../collect.ts';
import { type FileOptions, readManifests } from '../objects-files.ts';
import { groupOf } from '../objects-kind.ts';

export type ObjectOptions = FileOptions & { readonly ignoreErrors?: boolean; readonly strict?: boolean };

/**
 * `failures` are about objects that are left out, `doubts` about policies that are not in force as written, `warnings`
 * about kinds that have no part in policy. All are sentences.
 */
export type PolicyObjects = {
  readonly resources: readonly Resource[];
  readonly failures: readonly string[];
  readonly doubts: readonly string[];
  readonly warnings: readonly string[];
};

/** Adds `-f`, `-R`, `-n`, `--ignore-errors` and `--strict`. */
export function withObjects(command: Command, need: 'required' | 'optional'): Command {
  const [flags, text] = ['-f, --filename <file>', 'file, directory, or - for standard input; may be repeated'] as const;
  if (need === 'required') command.requiredOption(flags, text, collect);
  else command.option(flags, text, collect);
  return command
    .option('-R, --recursive', 'directories below too')
    .option('-n, --namespace <name>', 'namespace of objects that name none')
    .option('--ignore-errors', 'exit with 0 in spite of objects that are left out')
    .option('--strict', 'exit with 1 when a policy is not in force as written');
}

/** Reads the manifests; of an object that stands there twice, the later one counts, as with `apply`. */
export function readObjects(options: FileOptions): PolicyObjects {
  const resources = new Map<ResourceKey, Resource>();
  const failures: string[] = [];
  const doubts: string[] = [];
  const unknown = new Map<string, number>();
  for (const object of readManifests(options)) {
    if (object.ok) {
      const { resource, raw } = object.value;
      resources.set(keyOf(resource), resource);
      if (isPolicyResource(resource)) doubts.push(...fieldDoubts(resource, raw));
      continue;
    }
    const closed = closedOf(object.raw, options.namespace);
    if (closed !== undefined) {
      resources.set(keyOf(closed), closed);
      doubts.push(`${object.error}; what cannot be read is closed`);
    } else if (isUnknownKind(object.error)) count(unknown, object.error);
    else failures.push(object.error);
  }
  const ignored = [...unknown].map(([kind, times]) => [kind, ignoredKind(kind, times)] as const);
  const areDoubts = (kind: string): boolean => kind.endsWith('NetworkPolicy');
  return {
    resources: withNamespaces(resources),
    failures,
    doubts: [
      ...ignored.flatMap(([kind, sentence]) => (areDoubts(kind) ? [sentence] : [])),
      ...doubts,
      ...[...resources.values()].flatMap(problemsOf),
    ],
    warnings: ignored.flatMap(([kind, sentence]) => (areDoubts(kind) ? [] : [sentence])),
  };
}

/** Writes all sentences to stderr, and sets the exit code. */
export function reportObjects(objects: PolicyObjects, { ignoreErrors, strict }: ObjectOptions): void {
  const { resources, failures, doubts, warnings } = objects;
  if (resources.length + failures.length + warnings.length === 0)
    console.error('margay: warning: no objects were given');
  for (const warning of [...warnings, ...doubts]) console.error(`margay: warning: ${warning}`);
  for (const failure of failures) console.error(`margay: ${failure}`);
  if (failures.length > 0 && ignoreErrors !== true) process.exitCode = 1;
  if (doubts.length > 0 && strict === true) process.exitCode = 1;
}

function fieldDoubts({ kind, metadata }: PolicyResource, raw: unknown): readonly string[] {
  const name = 'namespace' in metadata ? `${metadata.namespace}/${metadata.name}` : metadata.name;
  return unknownFields(kind, raw).map(
    (path) => `${kind} "${name}" has an unknown field "${path}", which has no effect`,
  );
}

/** What an agent would have in force of a refused object; absent: it is no policy, or none that could be stored. */
function closedOf(raw: unknown, namespace: string | undefined): Resource | undefined {
  if (!isRecord(raw) || !isRecord(raw['metadata'])) return undefined;
  const { kind, apiVersion, metadata } = raw;
  if (kind !== 'NetworkPolicy' && kind !== 'ClusterNetworkPolicy') return undefined;
  if (typeof apiVersion !== 'string' || groupOf(kind) !== apiVersion.replace(/\/[^/]*$/, '')) return undefined;
  const named = subdomainName.safeParse(metadata['name']);
  const scope = labelName.safeParse(metadata['namespace'] ?? namespace ?? 'default');
  if (!named.success || !scope.success) return undefined;
  const within = KINDS[kind].namespaced ? scope.data : undefined;
  return closedPolicy(resourceKey(kind, within, named.data), raw);
}

const count = (unknown: Map<string, number>, error: string): void => {
  const kind = /^Cannot accept kind "([^"]*)"/.exec(error)?.[1] ?? '';
  unknown.set(kind, (unknown.get(kind) ?? 0) + 1);
};

/** What took the place of kinds that are no more. */
const SUCCESSORS: Readonly<Record<string, string>> = {
  AdminNetworkPolicy: 'ClusterNetworkPolicy of tier Admin',
  BaselineAdminNetworkPolicy: 'ClusterNetworkPolicy of tier Baseline',
};

function ignoredKind(kind: string, times: number): string {
  const successor = Object.hasOwn(SUCCESSORS, kind) ? SUCCESSORS[kind] : undefined;
  const instead = successor === undefined ? '' : `, expected ${successor}, which replaces it since v1alpha2`;
  return `Kind "${kind}" is none that policy is read from, and is ignored (${times} ×)${instead}`;
}

// A pod cannot be without its namespace, so one that nobody wrote down exists with the name as its only label.
function withNamespaces(resources: Map<ResourceKey, Resource>): readonly Resource[] {
  for (const resource of [...resources.values()]) {
    if (resource.kind !== 'Pod') continue;
    const { namespace: name } = resource.metadata;
    if (resources.has(`Namespace/${name}`)) continue;
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    resources.set(`Namespace/${name}`, unwrap(parseResource(namespace)));
  }
  return [...resources.values()];
}
