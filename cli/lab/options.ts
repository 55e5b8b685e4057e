// Options that the lab's commands share.
import { type Command, Option } from 'commander';
import { openEmbeddedStore } from '../../datastore/embedded/open.ts';
import type { Store } from '../../datastore/store.ts';
import { labFiles } from '../../lab/paths.ts';
import { parseLabName, parseNodeCount, parseTorKind, TOR_KINDS } from '../../lab/spec.ts';
import type { Result } from '../../lib/result.ts';

export type NameOption = { readonly name: string };

/** Adds `--name`: by default that of the environment, else `default`. */
export function withName(command: Command, byDefault?: string): Command {
  const option = new Option('--name <lab>', 'name of the lab').argParser(orThrow(parseLabName));
  return command.addOption(
    byDefault === undefined
      ? option.default(process.env['MARGAY_LAB'] ?? 'default', 'MARGAY_LAB, else "default"')
      : option.default(byDefault),
  );
}

/** Adds `--nodes` and `--tor`. */
export function withShape(command: Command): Command {
  return command
    .addOption(new Option('--nodes <number>', 'how many nodes').default(3).argParser(orThrow(parseNodeCount)))
    .addOption(
      new Option('--tor <kind>', `router at the top of the rack: ${TOR_KINDS.join(', ')}`)
        .default('bird')
        .argParser(orThrow(parseTorKind)),
    );
}

/** A parser of text as commander calls it. @throws Error with the parser's sentence */
export const orThrow =
  <T>(parse: (text: string) => Result<T>) =>
  (text: string): T => {
    const result = parse(text);
    if (!result.ok) throw new Error(result.error);
    return result.value;
  };

/** @throws Error unless run by root: namespaces, and the lab's files, are root's */
export function requireRoot(what: string): void {
  const uid = process.getuid?.();
  if (uid !== 0) throw new Error(`Cannot ${what}: user id is ${uid}, expected root (try: sudo)`);
}

/** Opens the lab's datastore for the time of `use`. */
export async function withStore<T>(lab: string, use: (store: Store) => Promise<T>): Promise<T> {
  const store = openEmbeddedStore({ path: labFiles(lab).datastore, missing: 'refuse' });
  try {
    return await use(store);
  } finally {
    store.close();
  }
}

/** Runs `work` with a signal that Ctrl-C and SIGTERM abort, so that it can clean up before the process ends. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => controller.abort(new Error('Interrupted'));
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGHUP', stop);
  }
}

export const printJson = (value: unknown): void => console.log(JSON.stringify(value, undefined, 2));
