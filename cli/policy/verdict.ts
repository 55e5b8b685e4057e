// `margay policy verdict`: whether a connection may be made, what decides, and the way through the rules.
import { type Command, Option } from 'commander';
import { compileWorld } from '../../felix/explain/compile-world.ts';
import { parseVerdictQuery, type VerdictWords } from '../../felix/explain/verdict-query.ts';
import { createExplainer } from '../../felix/explain/verdict-report.ts';
import { unwrap } from '../../lib/result.ts';
import type { LiveSource } from './live-verdict.ts';
import { type ObjectOptions, readObjects, reportObjects, withObjects } from './objects.ts';
import { printVerdict, type ShownVerdict } from './print-verdict.ts';

type Options = Partial<Pick<ObjectOptions, 'filename'>> &
  Omit<ObjectOptions, 'filename'> & {
    readonly from: string;
    readonly to: string;
    readonly port?: string;
    readonly protocol?: string;
    readonly family?: string;
    readonly lab?: string;
    readonly agent?: string;
    readonly json?: true;
  };

export function registerPolicyVerdict(policy: Command): void {
  const command = policy
    .command('verdict')
    .description('tell whether a connection is allowed, and why')
    .requiredOption('--from <end>', 'source: NAMESPACE/POD or an address')
    .requiredOption('--to <end>', 'destination: NAMESPACE/POD or an address')
    .option('--port <port>', 'port of the destination: a number or a name')
    .addOption(new Option('--protocol <protocol>', 'tcp (default), udp, sctp or icmp'))
    .addOption(new Option('--family <number>', 'addresses of this family').choices(['4', '6']));
  withObjects(command, 'optional')
    .option('--lab <name>', 'instead of files, ask the agents of this lab')
    .option('--agent <socket>', 'instead of files, ask the agent with this control socket')
    .option('--json', 'print one JSON document')
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { from, to, port, protocol, family, filename, lab, agent, json } = options;
  if ([filename, lab, agent].filter((each) => each !== undefined).length !== 1) {
    throw new Error('Cannot judge a connection: no source of objects or several, expected one of -f, --lab, --agent');
  }
  const words = { from, to, port, protocol, family };
  const query = unwrap(parseVerdictQuery(words));
  const shown: ShownVerdict =
    filename === undefined
      ? await live(words, lab === undefined ? { agent: agent ?? '' } : { lab })
      : offline({ ...options, filename }, query);
  if (json === true) console.log(JSON.stringify(shown, undefined, 2));
  else console.log(printVerdict(shown));
  for (const direction of shown.disagreement) {
    console.error(`margay: defect: rules and oracle differ in direction ${direction}: ${disputed(shown, direction)}`);
    process.exitCode = 2;
  }
}

// Loaded when it is needed: the lab is much to load.
async function live(words: VerdictWords, source: LiveSource): Promise<ShownVerdict> {
  const { liveVerdict } = await import('./live-verdict.ts');
  return liveVerdict(words, source);
}

function offline(options: ObjectOptions, query: Parameters<ReturnType<typeof createExplainer>['report']>[0]) {
  const objects = readObjects(options);
  reportObjects(objects, options);
  const { objects: table } = compileWorld(objects.resources, () => true);
  return unwrap(createExplainer(objects.resources, table).report(query));
}

function disputed(shown: ShownVerdict, direction: 'egress' | 'ingress'): string {
  const { verdict, oracle } = shown[direction] ?? {};
  return `the rules say ${verdict}, the oracle says ${oracle}`;
}
