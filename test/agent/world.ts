// What the tests of the agent have in common: a namespace `shop`, policies in it, and short questions to the node.
import { waitFor } from '../../lib/wait-for.ts';
import type { AgentNode } from '../support/agent-node.ts';
import type { TestNetns } from '../support/netns.ts';
import { withoutOwnerName } from '../support/without-owner-name.ts';

export const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };

/** A policy of namespace `shop` that isolates what `spec.podSelector` selects. */
export const policy = (name: string, spec: object) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { namespace: 'shop', name },
  spec,
});

/** Neither in nor out, for pods with these labels. */
export const isolate = (name: string, labels: Record<string, string> = {}) =>
  policy(name, { podSelector: { matchLabels: labels }, policyTypes: ['Ingress', 'Egress'] });

/** Whether a packet is answered within a second: for waiting until it is, and for seeing that it is not. */
export const pings = (from: TestNetns, ip: string): Promise<boolean> => isAnswered(from, ip, 1);

/** Whether a packet is answered at all, on a machine that may be slow: for what is so already. */
export const reaches = (from: TestNetns, ip: string): Promise<boolean> => isAnswered(from, ip, 10);

const isAnswered = async (from: TestNetns, ip: string, seconds: number): Promise<boolean> =>
  from.exec('ping', '-c1', `-W${seconds}`, ip).then(
    () => true,
    () => false,
  );

/** The table with the handles of its objects, and without what counts by itself. */
export const table = async (node: AgentNode): Promise<string> =>
  withoutOwnerName(await node.netns.exec('nft', '-a', 'list', 'table', 'inet', 'margay')).replace(
    /packets \d+ bytes \d+/g,
    '',
  );

/** What two builds of the table have in common: neither order nor generation nor owner. */
export async function content(node: AgentNode): Promise<string> {
  const listing = await node.netns.exec('nft', 'list', 'table', 'inet', 'margay');
  const blocks = listing
    .replace(/^table .*\n(?:\tflags.*\n)?|\}\n$/g, '')
    .replace(/packets \d+ bytes \d+/g, '')
    .replace(/0x[0-9a-f]{8}/g, 'GENERATION')
    .split(/\n(?=\t[a-z])/);
  return blocks.map(sortElements).sort().join('\n');
}

const sortElements = (block: string): string =>
  block.trim().replace(/elements = \{([^}]*)\}/, (_, elements: string) =>
    // The kernel may tell one twice while it makes the table of a set larger.
    [...new Set(elements.split(',').map((element) => element.trim()))].sort().join(', '),
  );

/** Waits until the agent has judged all flows by the generation that is in force. */
export async function judged(node: AgentNode): Promise<void> {
  await waitFor(
    'the flows to be judged',
    async () => {
      const { generation, flows } = (await node.status()) as {
        generation: number;
        flows: { judgedGeneration: number };
      };
      return flows.judgedGeneration === generation;
    },
    { timeoutMs: 60_000 },
  );
}
