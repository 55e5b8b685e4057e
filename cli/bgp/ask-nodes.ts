// Asks agents for a document, those of a lab or that of this machine, and prints what the answers become.
import { type Command, Option } from 'commander';
import { askAgent, LOCAL_AGENT } from '../ipam/ask-agent.ts';
import { printTable } from '../ipam/print-table.ts';
import { NOBODY_TO_ASK, socketsOf } from '../ipam/world.ts';

export type NodesOptions = {
  readonly lab?: string;
  readonly node?: string;
  readonly agent?: readonly string[];
};

export type BgpOptions = NodesOptions & { readonly json?: true; readonly output?: 'wide' | 'json' };

/** Adds `--lab`, `--node` and `--agent`. */
export function withNodes(command: Command): Command {
  return command
    .option('--lab <name>', 'lab whose nodes are asked (default: MARGAY_LAB, else "default")')
    .option('--node <name>', 'this node alone')
    .option('--agent <socket...>', `control sockets of the agents to ask (default: the lab's, else ${LOCAL_AGENT})`);
}

/** Adds `--json` and `-o wide|json` as well. */
export function withBgpOptions(command: Command): Command {
  return withNodes(command)
    .option('--json', 'print the documents of the agents as JSON')
    .addOption(new Option('-o, --output <form>', 'more columns, or JSON').choices(['wide', 'json']));
}

export const wantsJson = ({ json, output }: BgpOptions): boolean => json === true || output === 'json';

/** What the agents answer that were asked. One that does not answer is told on stderr, and makes the exit code 1. */
export async function askNodes<T extends { readonly node: string }>(
  options: NodesOptions,
  path: string,
  parse: (document: unknown) => T,
): Promise<readonly T[]> {
  const answers = await Promise.allSettled(
    controlSockets(options).map(async (socket) => parse(JSON.parse(await askAgent(socket, 'GET', path)))),
  );
  const found: T[] = [];
  for (const answer of answers) {
    if (answer.status === 'fulfilled') found.push(answer.value);
    else {
      console.error(`margay: ${answer.reason instanceof Error ? answer.reason.message : answer.reason}`);
      process.exitCode = 1;
    }
  }
  if (options.node === undefined) return found;
  const chosen = found.filter(({ node }) => node === options.node);
  if (chosen.length > 0) return chosen;
  const names = found.map(({ node }) => node).join(', ');
  throw new Error(`Cannot find node "${options.node}": no agent says it is that, expected one of ${names || 'none'}`);
}

/** @throws Error when there is nobody to ask */
export function controlSockets(options: NodesOptions): readonly string[] {
  const sockets = socketsOf(options);
  if (sockets.length > 0) return sockets;
  throw new Error(`Cannot find an agent: ${NOBODY_TO_ASK}`);
}

export const printJson = (value: unknown): void => console.log(JSON.stringify(value, undefined, 2));

/** Titles, then rows; a table without rows says so on stderr instead. */
export function printRows(titles: readonly string[], rows: readonly (readonly string[])[], nothing: string): void {
  if (rows.length === 0) console.error(nothing);
  else console.log(printTable([titles, ...rows]));
}

/** What stands in a cell that has nothing to say. */
export const NONE = '-';
