// `margay delete KIND NAME…` or `-f FILE`: deletes objects, one by one, whatever becomes of others.
import type { Command } from 'commander';
import { KINDS, type Kind } from '../datastore/resources/index.ts';
import type { Store } from '../datastore/store.ts';
import { collect } from './collect.ts';
import { addDatastoreOptions, type DatastoreOptions, openCliStore } from './datastore-option.ts';
import { readManifests } from './objects-files.ts';
import { parseAsked, pluralOf, singularOf } from './objects-kind.ts';
import { listObjects } from './objects-list.ts';
import { failedWith, notFound, reportFailure } from './objects-report.ts';
import { type LabelMatcher, parseLabelSelector } from './objects-selector.ts';

type DeleteOptions = DatastoreOptions & {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly namespace?: string;
  readonly selector?: string;
  readonly all?: boolean;
  readonly ignoreNotFound?: boolean;
};

type Target = { readonly kind: Kind; readonly namespace: string | undefined; readonly name: string };

/** Adds `delete`. */
export function registerDelete(program: Command): void {
  const command = program
    .command('delete')
    .description('delete objects')
    .argument('[kind]', 'such as pod, netpol; several with commas; or KIND/NAME')
    .argument('[name...]', 'names of objects')
    .option('-f, --filename <file>', 'file, directory, or - for standard input; may be repeated', collect)
    .option('-R, --recursive', 'directories below too')
    .option('-n, --namespace <name>', 'namespace (default: that of the object, else "default")')
    .option('-l, --selector <labels>', 'all objects of the kind with these labels')
    .option('--all', 'all objects of the kind, in the namespace')
    .option('--ignore-not-found', 'what is not there is no failure')
    .action((kind: string | undefined, names: readonly string[], options: DeleteOptions) =>
      runDelete(kind === undefined ? [] : [kind, ...names], options),
    );
  addDatastoreOptions(command);
}

async function runDelete(words: readonly string[], options: DeleteOptions): Promise<void> {
  if (options.filename !== undefined && words.length > 0) {
    return reportFailure('error: name objects or give files with -f, not both');
  }
  const store = openCliStore(options);
  try {
    const targets =
      options.filename === undefined
        ? await targetsOfWords(store, words, options)
        : targetsOfFiles(options.filename, options);
    for (const target of targets) await remove(store, target, options.ignoreNotFound === true);
    if (targets.length === 0 && process.exitCode === undefined) console.error('No resources found');
  } finally {
    store.close();
  }
}

function targetsOfFiles(filename: readonly string[], options: DeleteOptions): readonly Target[] {
  const { recursive = false, namespace } = options;
  const read = readManifests({ filename, recursive, ...(namespace === undefined ? {} : { namespace }) });
  const targets = read.flatMap((object): readonly Target[] => {
    if (!object.ok) {
      reportFailure(new Error(object.error));
      return [];
    }
    const { kind, metadata } = object.value.resource;
    const where = KINDS[kind].namespaced ? String(metadata['namespace']) : undefined;
    return [{ kind, namespace: where, name: metadata.name }];
  });
  // What others depend on goes last: a namespace takes its objects with it, and a pool stays while it has blocks.
  const last: readonly Kind[] = ['IPPool', 'Namespace'];
  return targets.toSorted((a, b) => last.indexOf(a.kind) - last.indexOf(b.kind));
}

async function targetsOfWords(
  store: Store,
  words: readonly string[],
  options: DeleteOptions,
): Promise<readonly Target[]> {
  const asked = parseAsked(words);
  const matches = parseLabelSelector(options.selector ?? '');
  if (!asked.ok || !matches.ok) {
    reportFailure(`error: ${asked.ok ? (matches.ok ? '' : matches.error) : asked.error}`);
    return [];
  }
  const { kinds, names } = asked.value;
  const many = options.all === true || options.selector !== undefined;
  if (many === names.length > 0) {
    reportFailure(`error: ${many ? 'names cannot be combined with --all or -l' : 'give names, -l or --all'}`);
    return [];
  }
  const targets: Target[] = [];
  for (const kind of kinds) {
    const namespace = KINDS[kind].namespaced ? (options.namespace ?? 'default') : undefined;
    const selected = many ? await selectedOf(store, kind, namespace, options.selector, matches.value) : names;
    targets.push(...selected.map((name) => ({ kind, namespace, name })));
  }
  return targets;
}

/** Names of them. Those that cannot be read are among all, and under no label: their labels may be what is wrong. */
async function selectedOf(
  store: Store,
  kind: Kind,
  namespace: string | undefined,
  selector: string | undefined,
  matches: LabelMatcher,
): Promise<readonly string[]> {
  const { items, unreadable } = await listObjects(store, kind, namespace);
  const readable = items.filter(({ metadata }) => matches(metadata.labels ?? {})).map(({ metadata }) => metadata.name);
  if (selector === undefined) return [...readable, ...unreadable.keys()];
  for (const sentence of unreadable.values()) reportFailure(new Error(sentence));
  return readable;
}

async function remove(store: Store, { kind, namespace, name }: Target, ignoreNotFound: boolean): Promise<void> {
  try {
    await store.delete(kind, namespace, name);
    console.log(
      `${singularOf(kind)} "${name}" deleted${namespace === undefined ? '' : ` from ${namespace} namespace`}`,
    );
  } catch (error) {
    if (!failedWith(error, 'not-found')) reportFailure(error);
    else if (!ignoreNotFound) reportFailure(notFound(pluralOf(kind), name));
  }
}
