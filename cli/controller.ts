// `margay controller`: what a cluster needs once, until SIGINT or SIGTERM.
import { type Command, InvalidArgumentError } from 'commander';
import { keepReflectors } from '../controller/reflectors.ts';
import { releaseVanishedBlocks } from '../controller/vanished-blocks.ts';
import { createLog } from '../lib/log.ts';
import { addDatastoreOptions, type DatastoreOptions, openCliStore } from './datastore-option.ts';

type Options = DatastoreOptions & { readonly settleSeconds: number };

/** Adds `controller`. */
export function registerController(program: Command): void {
  const command = program
    .command('controller')
    .description(
      'release address blocks of vanished nodes; choose route reflectors, where BGPConfiguration asks for them',
    )
    .option('--settle-seconds <number>', 'how long a new reflector takes until nodes can rely on it', parseSeconds, 60)
    .action(run);
  addDatastoreOptions(command);
}

function parseSeconds(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected 0 to 99999');
}

async function run(options: Options): Promise<void> {
  const store = openCliStore(options);
  const ending = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => ending.abort());
  const log = createLog('controller');
  const { signal } = ending;
  await Promise.all([
    keepReflectors({ store, log, settleMs: options.settleSeconds * 1000, signal }),
    releaseVanishedBlocks({ store, log, signal }),
  ]);
  store.close();
}
