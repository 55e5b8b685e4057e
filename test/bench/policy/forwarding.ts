// What the rules cost the packets: two pods behind a node, once per layout. One process sends and empties the receiver's
// queue; the kernel forwards inside the send, so that the time of sending is the time of the whole way.
import { spawnSync } from 'node:child_process';
import { inNetns } from '../../../lib/linux/netns.ts';
import { type PacketBatch, packetBatch } from '../raw-socket.ts';
import { type Goal, resultOf, sideOf, timed } from '../results.ts';
import { NAMESPACE, RECEIVER_IP, RECEIVER_PORT, SENDER_IP, type TwoPods, twoPods } from '../two-pods.ts';
import type { Bench, Result, Scope } from '../types.ts';
import { namespaceText, nodeTable, podIp, podText, policyText } from './node-table.ts';

const FIRST_SPORT = 1024;
/** Flows that are begun in one go, and how many of such parts in a round. */
const FLOWS = 100;
const PARTS = 10;
/** A packet that has not come by then was dropped. */
const ARRIVAL_MS = 5000;

type Layout = { readonly name: string; readonly pods: TwoPods; readonly pps: number[]; readonly newFlowUs: number[] };

export const forwarding: Bench = {
  name: 'forwarding',
  run: async ({ scope, scale }) => {
    // Many short rounds: what else the machine does then weighs on all layouts alike.
    const [profiles, packets, rounds] = scale === 'full' ? [[10, 1000, 10_000], 5120, 150] : [[2, 4], 256, 2];
    const linear = scale === 'full' ? 1000 : 5;
    const layouts: Layout[] = [
      await layout(scope, 'no rules', () => {}),
      await layout(scope, CONNTRACK, ({ node }) => loadText(node.path, CONNTRACK_TABLE)),
      await layout(scope, `${linear} linear rules`, ({ node }) => loadText(node.path, linearTable(linear))),
    ];
    for (const count of profiles) {
      layouts.push(await layout(scope, ourName(count), (pods) => loadOurs(scope, pods, count)));
    }
    const stream = packetBatch(Array.from({ length: 256 }, () => packetFrom(FIRST_SPORT)));
    const fresh = Array.from({ length: PARTS * FLUSH_EVERY }, (_, part) =>
      packetBatch(Array.from({ length: FLOWS }, (__, i) => packetFrom(FIRST_SPORT + 1 + part * FLOWS + i))),
    );
    for (let round = -FLUSH_EVERY; round < rounds; round++) {
      const turn = (round + FLUSH_EVERY) % FLUSH_EVERY;
      for (const one of round % 2 === 0 ? layouts : layouts.toReversed()) {
        if (turn === 0) forgetFlows(one.pods);
        establish(one.pods, stream);
        const pps = packetsPerSecond(one.pods, stream, packets);
        const newFlowUs = microsecondsPerFlow(one.pods, fresh.slice(turn * PARTS, (turn + 1) * PARTS));
        if (round < 0) continue;
        one.pps.push(pps);
        one.newFlowUs.push(newFlowUs);
      }
    }
    return report(layouts, ourName(scale === 'full' ? 1000 : 4));
  },
};

/** Rounds after which the ports of new flows begin again. */
const FLUSH_EVERY = 10;

const CONNTRACK = 'conntrack alone';
const ourName = (profiles: number): string => `ours, ${profiles} profiles`;

const packetFrom = (sport: number) => ({ from: SENDER_IP, to: RECEIVER_IP, sport, dport: RECEIVER_PORT });

async function layout(scope: Scope, name: string, load: (pods: TwoPods) => void): Promise<Layout> {
  const pods = await twoPods(scope, 'node');
  load(pods);
  return { name, pods, pps: [], newFlowUs: [] };
}

function establish({ sender, receiver }: TwoPods, packets: PacketBatch): void {
  sender.send({ ...packets, count: 1 });
  if (arrivals(receiver, 1) === 0) throw new Error('Cannot measure forwarding: no packet arrives, expected one');
  receiver.reply(SENDER_IP, FIRST_SPORT);
  sender.send({ ...packets, count: 1 });
  receiver.drain();
}

// The median of many short sends: other load on the machine interrupts few of them. The receiver's queue is emptied outside
// of the measured time.
function packetsPerSecond({ sender, receiver }: TwoPods, packets: PacketBatch, count: number): number {
  const rates: number[] = [];
  for (let sent = 0; sent < count; sent += packets.count) {
    const ms = timed(() => sender.send(packets));
    rates.push((receiver.drain() / ms) * 1000);
  }
  return sideOf(rates).p50;
}

/** How many have arrived: a kernel that is interrupted within the send leaves the last of the work to a thread of its own. */
function arrivals(receiver: TwoPods['receiver'], expected: number): number {
  const deadline = performance.now() + ARRIVAL_MS;
  let arrived = receiver.drain();
  while (arrived < expected && performance.now() < deadline) arrived += receiver.drain();
  return arrived;
}

function forgetFlows({ node }: TwoPods): void {
  inNetns(node.path, () => spawnSync('conntrack', ['-F'], { stdio: 'ignore' }));
}

// Flows that conntrack has never seen. The median of parts, as above.
function microsecondsPerFlow({ sender, receiver }: TwoPods, parts: readonly PacketBatch[]): number {
  const times = parts.map((part) => {
    const us = timed(() => sender.send(part)) * 1000;
    const arrived = arrivals(receiver, part.count);
    if (arrived < part.count) throw new Error(`Cannot measure new flows: ${arrived} of ${part.count} packets arrive`);
    return us / part.count;
  });
  return sideOf(times).p50;
}

function report(layouts: readonly Layout[], judged: string): readonly Result[] {
  const base = layouts.find(({ name }) => name === CONNTRACK);
  if (base === undefined) throw new Error('Cannot report: no base line');
  const packets: Goal = {
    text: '>= 90 % of conntrack alone',
    met: ({ ours, other }) => other !== undefined && ours.p50 >= 0.9 * other.p50,
  };
  const flows: Goal = {
    text: '<= 2 us more per new flow',
    met: ({ ours, other }) => other !== undefined && ours.p50 - other.p50 <= 2,
  };
  return [
    ...layouts.map(({ name, pps }) =>
      resultOf({
        name: `established flow: ${name}`,
        unit: 'packets/s',
        ours: pps,
        ...(name !== CONNTRACK && { other: { name: CONNTRACK, samples: base.pps } }),
        ...(name === judged && { goal: packets }),
      }),
    ),
    ...layouts.map(({ name, newFlowUs }) =>
      resultOf({
        name: `new flow: ${name}`,
        unit: 'us',
        ours: newFlowUs,
        ...(name !== CONNTRACK && { other: { name: CONNTRACK, samples: base.newFlowUs } }),
        ...(name === judged && { goal: flows }),
      }),
    ),
  ];
}

function loadText(path: string, text: string): void {
  const { status, stderr } = inNetns(path, () => spawnSync('nft', ['-f', '-'], { input: text, encoding: 'utf8' }));
  if (status !== 0) throw new Error(`Cannot load a table: ${stderr}`);
}

const CONNTRACK_TABLE =
  'table inet other { chain forward { type filter hook forward priority 0; ct state established accept; }; }';

/** What a list of rules looks like that has to be read to its end: none of these addresses is the sender's. */
const linearTable = (rules: number): string =>
  `table inet other { chain forward { type filter hook forward priority 0; ct state established accept; ${Array.from(
    { length: rules },
    (_, i) => `ip saddr ${podIp(1000 + i)} drop;`,
  ).join(' ')} }; }`;

// Each pod has a policy of its own and so a profile of its own. The receiver's lets the sender in by a set, after 10 rules.
function loadOurs(scope: Scope, { node }: TwoPods, profiles: number): void {
  const table = nodeTable(scope, node);
  table.put(namespaceText(NAMESPACE));
  const pods = [
    { name: 'sender', ip: SENDER_IP },
    { name: 'receiver', ip: RECEIVER_IP },
    ...Array.from({ length: Math.max(0, profiles - 2) }, (_, i) => ({ name: `pod-${i}`, ip: podIp(10 + i) })),
  ];
  for (const { name, ip } of pods) {
    table.put(podText({ namespace: NAMESPACE, name, labels: { app: name }, ip, node: 'node1' }));
    table.wire(NAMESPACE, name, ip);
    const spec = {
      podSelector: { matchLabels: { app: name } },
      ingress: [
        ...Array.from({ length: 9 }, (_, i) => ({ ports: [{ protocol: 'UDP', port: 100 + i }] })),
        {
          from: [{ podSelector: { matchLabels: { app: 'sender' } } }],
          ports: [{ protocol: 'UDP', port: RECEIVER_PORT }],
        },
      ],
    };
    table.put(policyText(NAMESPACE, `policy-${name}`, spec));
  }
  table.replace();
}
