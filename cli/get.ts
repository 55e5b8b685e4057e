// `margay get KIND [NAME…]`: prints objects as kubectl does.
import { type Command, Option } from 'commander';
import { KINDS, type Kind, type Resource } from '../datastore/resources/index.ts';
import type { Store } from '../datastore/store.ts';
import { addDatastoreOptions, type DatastoreOptions, openCliStore } from './datastore-option.ts';
import { parseAsked, pluralOf } from './objects-kind.ts';
import { listReadable } from './objects-list.ts';
import { OUTPUTS, type Output, printNames, printObjects, printTable } from './objects-print.ts';
import { notFound, reportFailure } from './objects-report.ts';
import { type LabelMatcher, parseLabelSelector } from './objects-selector.ts';

type GetOptions = DatastoreOptions & {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly output?: Exclude<Output, 'table'>;
  readonly selector?: string;
  readonly showLabels?: boolean;
  readonly headers: boolean;
};

type Question = {
  readonly names: readonly string[];
  /** `undefined`: all of them. */
  readonly namespace: string | undefined;
  readonly matches: LabelMatcher;
};

/** Adds `get`. */
export function registerGet(program: Command): void {
  const command = program
    .command('get')
    .description('print objects')
    .argument('<kind>', 'such as pods, po, networkpolicy, ippools; several with commas; or KIND/NAME')
    .argument('[name...]', 'names of objects')
    .option('-n, --namespace <name>', 'namespace (default: "default")')
    .option('-A, --all-namespaces', 'objects of all namespaces')
    .addOption(
      new Option('-o, --output <form>', 'form of the output').choices(OUTPUTS.filter((one) => one !== 'table')),
    )
    .option('-l, --selector <labels>', 'only objects with these labels, such as app=web,tier!=db')
    .option('--show-labels', 'a column with the labels')
    .option('--no-headers', 'no line with the titles of the columns')
    .action((kind: string, names: readonly string[], options: GetOptions) => runGet([kind, ...names], options));
  addDatastoreOptions(command);
}

async function runGet(words: readonly string[], options: GetOptions): Promise<void> {
  const asked = parseAsked(words);
  if (!asked.ok) return reportFailure(`error: ${asked.error}`);
  const { kinds, names } = asked.value;
  const matches = parseLabelSelector(options.selector ?? '');
  if (!matches.ok) return reportFailure(new Error(matches.error));
  if (names.length > 0 && (options.selector !== undefined || options.allNamespaces === true)) {
    const flag = options.selector === undefined ? '--all-namespaces' : '--selector';
    return reportFailure(`error: a resource cannot be retrieved by name together with ${flag}`);
  }
  const namespace = options.allNamespaces === true ? undefined : (options.namespace ?? 'default');
  const store = openCliStore(options);
  try {
    const found: (readonly [Kind, readonly Resource[]])[] = [];
    for (const kind of kinds) found.push([kind, await find(store, kind, { names, namespace, matches: matches.value })]);
    print(found, names, namespace, options);
  } finally {
    store.close();
  }
}

async function find<K extends Kind>(store: Store, kind: K, question: Question): Promise<readonly Resource[]> {
  const { names, namespace, matches } = question;
  if (names.length === 0) {
    const items = await listReadable(store, kind, namespace);
    return items.filter(({ metadata }) => matches(metadata.labels ?? {}));
  }
  const found: Resource[] = [];
  for (const name of names) {
    try {
      const resource = await store.get(kind, namespace, name);
      if (resource === undefined) reportFailure(notFound(pluralOf(kind), name));
      else found.push(resource);
    } catch (error) {
      reportFailure(error);
    }
  }
  return found;
}

function print(
  found: readonly (readonly [Kind, readonly Resource[]])[],
  names: readonly string[],
  namespace: string | undefined,
  options: GetOptions,
): void {
  const items = found.flatMap(([, some]) => some);
  const output: Output = options.output ?? 'table';
  if (output === 'yaml' || output === 'json') {
    if (items.length > 0 || names.length === 0) console.log(printObjects(items, output, names.length === 1));
    return;
  }
  if (items.length === 0) {
    if (names.length > 0) return;
    const placed = namespace !== undefined && found.some(([kind]) => KINDS[kind].namespaced);
    console.error(placed ? `No resources found in ${namespace} namespace.` : 'No resources found');
    return;
  }
  if (output === 'name') {
    console.log(printNames(items));
    return;
  }
  const tables = found.filter(([, some]) => some.length > 0);
  const nowMs = Date.now();
  const { allNamespaces = false, showLabels = false, headers } = options;
  const form = { nowMs, output, allNamespaces, showLabels, headers, withKind: found.length > 1 };
  console.log(tables.map(([kind, some]) => printTable(kind, some, form)).join('\n\n'));
}
