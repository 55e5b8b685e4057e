// Everything that attaching pods leaves on a node, as text that two runs can be compared by: links, routes, rules with
// their set elements, the journal, the spool, and the namespaces of pods.
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { askAgent } from '../../cli/ipam/ask-agent.ts';
import { type IpamView, ipamViewSchema } from '../../ipam/view.ts';
import type { AgentNode } from './agent-node.ts';
import type { TestNetns } from './netns.ts';
import { withoutOwnerName } from './without-owner-name.ts';

/** Socket and spool of an agent, for the executable's configuration. */
export function cniPathsOf(node: AgentNode): { readonly socket: string; readonly spool: string } {
  const run = dirname(node.controlSocket);
  return { socket: join(run, 'cni.sock'), spool: join(dirname(run), 'state', 'cni-spool') };
}

/** Names of the DELs that wait for the agent, unfinished ones included. */
export function spooled(node: AgentNode): readonly string[] {
  try {
    return readdirSync(cniPathsOf(node).spool);
  } catch {
    // The executable makes the folder when it first needs it.
    return [];
  }
}

/** What the agent tells of its addresses. */
export const ipamViewOf = async (node: AgentNode): Promise<IpamView> =>
  ipamViewSchema.parse(JSON.parse(await askAgent(node.controlSocket, 'GET', '/v1/ipam')));

/** As lines. What may differ between runs is replaced: addresses of pods, random hardware addresses, numbers, counters. */
export async function cniState(node: AgentNode, ...pods: readonly TestNetns[]): Promise<readonly string[]> {
  const view = await ipamViewOf(node);
  const journal = view.assignments.map(({ assignment: { handle, ips, state, hostIfName, netns } }) => {
    return [handle, ips.join(), state, hostIfName, netns].join(' ');
  });
  const used = view.blocks.map((block) => `${block.used} of ${block.size} used`);
  const ours = (text: string, words: RegExp): string =>
    text
      .split('\n')
      .filter((line) => words.test(line))
      .join('\n');
  // One program on each side: this is asked often.
  const [links = '', routes = '', rules = ''] = (
    await node.netns.exec('sh', '-c', commands('ip -o link', 'ip route show table all', 'nft -nn list ruleset'))
  ).split(BETWEEN);
  const inPod = commands('ip -o link', 'ip -o address show scope global', 'ip route', 'ip neighbour');
  const inside = await Promise.all(pods.map(({ exec }) => exec('sh', '-c', inPod)));
  const parts = {
    journal: [...journal, ...used, ...view.keptOut.map((ip) => `kept out ${ip}`)].join('\n'),
    spool: spooled(node).join('\n'),
    links: ours(links.replaceAll('\\', ' '), /mgy/),
    routes: ours(routes, /proto 177/),
    rules: withoutOwnerName(rules),
    ...Object.fromEntries(inside.map((text, n) => [`pod ${n}`, text])),
  };
  return Object.entries(parts).flatMap(([name, text]) =>
    comparable(text)
      .split('\n')
      .map((line) => `${name}: ${line.trimEnd()}`)
      .sort(),
  );
}

/** What one has and the other has not; empty: they are the same. */
export const differences = (found: readonly string[], expected: readonly string[]): readonly string[] => [
  ...found.filter((line) => !expected.includes(line)).map((line) => `+ ${line}`),
  ...expected.filter((line) => !found.includes(line)).map((line) => `- ${line}`),
];

const BETWEEN = '-- next --\n';
const commands = (...each: readonly string[]): string => each.join(` && echo '${BETWEEN.trim()}' && `);

const comparable = (text: string): string =>
  text
    .replaceAll(/\b10\.244\.\d+\.\d+\b/g, 'IP')
    .replaceAll(/^\d+: /gm, '')
    .replaceAll(/@if\d+/g, '@if')
    .replaceAll(/link-netnsid \d+/g, 'link-netnsid')
    .replaceAll(/(?!ee:ee)\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b(?<!ff:ff)/g, 'MAC')
    // The flags tell it at once; the kernel writes this (linkwatch) up to a second later.
    .replaceAll(/ state (UP|UNKNOWN)\b/g, '')
    .replaceAll(/packets \d+ bytes \d+/g, 'packets')
    // The generation of the rules is another one after each start.
    .replaceAll(/0x[0-9a-f]{8}/g, 'MARK')
    .replaceAll(/ (REACHABLE|STALE|DELAY|PROBE)\b/g, '');
