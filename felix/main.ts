// Entry point of the node agent: `node felix/main.ts --config FILE`. SIGTERM and SIGINT end it; what it has put into the
// kernel and into gobgpd stays.
import { parseArgs } from 'node:util';
import { createLog } from '../lib/log.ts';
import { runAgent } from './agent.ts';
import { readConfig } from './config.ts';

const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
const log = createLog('margay-node');

try {
  const { values } = parseArgs({ options: { config: { type: 'string', default: '/etc/margay/node.json' } } });
  await runAgent(readConfig(values.config), log, stop.signal);
  process.exit(0);
} catch (error) {
  if (stop.signal.aborted) process.exit(0);
  log.fatal({ err: error }, error instanceof Error ? error.message : String(error));
  process.exit(1);
}
