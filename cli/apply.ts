// `margay apply -f FILE|DIR|-`: creates objects and updates those that are there, one by one, whatever becomes of others.
import { type Command, Option } from 'commander';
import { KINDS, type Resource } from '../datastore/resources/index.ts';
import { withoutEncapsulation } from '../datastore/resources/ip-pool.ts';
import type { ManifestEntry, ManifestObject } from '../datastore/resources/manifest.ts';
import { parseResource } from '../datastore/resources/parse.ts';
import type { Store } from '../datastore/store.ts';
import { unwrap } from '../lib/result.ts';
import { collect } from './collect.ts';
import { addDatastoreOptions, type DatastoreOptions, openCliStore } from './datastore-option.ts';
import { type FileOptions, readManifests } from './objects-files.ts';
import { singularOf } from './objects-kind.ts';
import { mergeApplied } from './objects-merge.ts';
import { apiRefusal, namespaceRefusal, strictRefusal, unknown } from './objects-refusal.ts';
import { failedWith, reportFailure } from './objects-report.ts';

/** How often an object is merged anew because somebody else wrote it in the meantime. */
const TRIES = 20;

/** Adds `apply`. */
export function registerApply(program: Command): void {
  const command = program
    .command('apply')
    .description('create or update objects from files')
    .requiredOption('-f, --filename <file>', 'file, directory, or - for standard input; may be repeated', collect)
    .option('-R, --recursive', 'directories below too')
    .option('-n, --namespace <name>', 'namespace of objects that name none')
    .addOption(
      new Option(
        '--validate [how]',
        'fields that a kind does not have: strict refuses them, warn tells, ignore is silent',
      )
        .choices(['strict', 'true', 'warn', 'ignore', 'false'])
        .preset('strict')
        .default('strict'),
    )
    .option('--create-datastore', 'make the file of --datastore where there is none')
    .action(runApply);
  addDatastoreOptions(command);
}

type Options = FileOptions &
  DatastoreOptions & {
    readonly validate: 'strict' | 'true' | 'warn' | 'ignore' | 'false';
    readonly createDatastore?: true;
  };

async function runApply(options: Options): Promise<void> {
  const store = openCliStore(options, options.createDatastore === true ? 'create' : 'refuse');
  try {
    let applied = 0;
    for (const object of namespacesFirst(readManifests(options))) {
      applied += await report(store, object, options);
    }
    if (applied === 0 && process.exitCode === undefined) reportFailure('error: no objects passed to apply');
  } finally {
    store.close();
  }
}

/** The order of the files, but for namespaces, which the others may lie in. */
function namespacesFirst(objects: readonly ManifestEntry[]): readonly ManifestEntry[] {
  const isNamespace = (object: ManifestEntry): boolean => object.ok && object.value.resource.kind === 'Namespace';
  return [...objects.filter(isNamespace), ...objects.filter((object) => !isNamespace(object))];
}

async function report(store: Store, object: ManifestEntry, { validate }: Options): Promise<number> {
  if (!object.ok) {
    reportFailure(new Error(object.error));
    return 0;
  }
  const { resource } = object.value;
  try {
    if (validate === 'warn') for (const field of unknown(object.value)) console.error(`Warning: ${field}`);
    const refusal =
      (validate === 'strict' || validate === 'true' ? strictRefusal(object.value) : undefined) ??
      apiRefusal(object.value) ??
      (await namespaceRefusal(store, object.value));
    if (refusal !== undefined) {
      reportFailure(refusal);
      return 1;
    }
    const outcome = await applyObject(store, object.value);
    console.log(`${singularOf(resource.kind)}/${resource.metadata.name} ${outcome}`);
    for (const why of unfollowed(resource)) console.error(`Warning: ${why}`);
  } catch (error) {
    reportFailure(error);
  }
  return 1;
}

function unfollowed(resource: Resource): readonly string[] {
  return resource.kind === 'IPPool' ? withoutEncapsulation(resource) : [];
}

/** @throws StoreError when the store refuses the object, Error when the merged object breaks its schema */
export async function applyObject(
  store: Store,
  { resource, raw }: ManifestObject,
): Promise<'created' | 'configured' | 'unchanged'> {
  const { kind, metadata } = resource;
  const namespace = KINDS[kind].namespaced ? String(metadata['namespace']) : undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      const live = await readLive(store, resource, namespace);
      if (live === 'unreadable') {
        await store.update(unwrap(parseResource(mergeApplied(raw, undefined))));
        return 'configured';
      }
      const next = unwrap(parseResource(mergeApplied(raw, live)));
      if (live === undefined) {
        await store.create(next);
        return 'created';
      }
      const stored = await store.update(next);
      return stored.metadata.resourceVersion === live.metadata.resourceVersion ? 'unchanged' : 'configured';
    } catch (error) {
      const raced = ['exists', 'conflict', 'not-found'] as const;
      // A version that the manifest itself demands does not become right by waiting.
      const again = metadata.resourceVersion === undefined && raced.some((code) => failedWith(error, code));
      if (!again || attempt === TRIES) throw error;
    }
  }
}

async function readLive(
  store: Store,
  { kind, metadata }: Resource,
  namespace: string | undefined,
): Promise<Resource | undefined | 'unreadable'> {
  try {
    return await store.get(kind, namespace, metadata.name);
  } catch (error) {
    if (failedWith(error, 'invalid')) return 'unreadable';
    throw error;
  }
}
