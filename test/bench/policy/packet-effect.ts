// From a policy change to its effect on packets. A pod sends to another one without a pause, except while this process is
// busy with the change itself; the effect is there with the first packet that fares differently. The flow is one that was
// answered, so that a denial has to end an established flow.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { POLICY_TABLE } from '../../../felix/render/policy/names.ts';
import { inNetns } from '../../../lib/linux/netns.ts';
import { printObject, printRuleset } from '../../../lib/nftables/print.ts';
import { type Started, start } from '../program.ts';
import { type PacketBatch, packetBatch } from '../raw-socket.ts';
import { type Goal, resultOf } from '../results.ts';
import { NAMESPACE, RECEIVER_IP, RECEIVER_PORT, SENDER_IP, type TwoPods, twoPods } from '../two-pods.ts';
import type { Bench } from '../types.ts';
import { type NodeTable, namespaceText, nodeTable, podIp, podText, policyText } from './node-table.ts';

const SPORT = 5000;
const DEADLINE_MS = 20_000;
/** Packets that still pass so long after the end of the program will not stop. */
const OVERTAKEN_MS = 300;
/** So many packets lost in a row mean that they are dropped, and not merely on the way. */
const LOST_IN_A_ROW = 20;

export const packetEffect: Bench = {
  name: 'packet-effect',
  run: async ({ scope, scale }) => {
    const [policies, rounds] = scale === 'full' ? [1000, 60] : [10, 3];
    const mine = await twoPods(scope, 'ours');
    const theirs = await twoPods(scope, 'other');
    const ours = nodeTable(scope, mine.node);
    fill(ours, policies);
    ours.replace();
    const directory = mkdtempSync(join(tmpdir(), 'margay-bench-'));
    scope.after(() => rmSync(directory, { recursive: true }));
    const files = nftFiles(ours, directory);
    inNetns(theirs.node.path, () => start('nft', '-f', files.table).wait());

    const packet = packetBatch([{ from: SENDER_IP, to: RECEIVER_IP, sport: SPORT, dport: RECEIVER_PORT }]);
    establish(mine, packet);
    establish(theirs, packet);
    const times = { deny: [] as number[], allow: [] as number[], nftDeny: [] as number[], nftAllow: [] as number[] };
    for (let round = -5; round < rounds; round++) {
      const sample = (list: number[], ms: number | undefined): void => {
        if (round >= 0 && ms !== undefined) list.push(ms);
      };
      const change =
        (port: number): Change =>
        () => {
          ours.put(theOne(port));
          ours.commit();
          return undefined;
        };
      sample(times.deny, untilDropped(mine, packet, change(RECEIVER_PORT + 1)));
      sample(times.allow, untilArrives(mine, packet, change(RECEIVER_PORT)));
      establish(mine, packet);
      const dropped = untilDropped(theirs, packet, () =>
        inNetns(theirs.node.path, () => start('nft', '-f', files.deny)),
      );
      const arrived = untilArrives(theirs, packet, () =>
        inNetns(theirs.node.path, () => start('nft', '-f', files.allow)),
      );
      sample(times.nftDeny, dropped);
      sample(times.nftAllow, dropped === undefined ? undefined : arrived);
      establish(theirs, packet);
    }
    const other = (samples: readonly number[]) => ({ name: 'nft -f, the same chains', samples });
    const among = `1 of ${policies} policies`;
    return [
      resultOf({
        name: `rule revoked in ${among}, event to packet`,
        unit: 'ms',
        ours: times.deny,
        other: other(times.nftDeny),
        goal: MS10,
      }),
      resultOf({
        name: `rule added in ${among}, event to packet`,
        unit: 'ms',
        ours: times.allow,
        other: other(times.nftAllow),
        goal: MS10,
      }),
    ];
  },
};

/** Starts the change, and answers the program that goes on with it. */
type Change = () => Started | undefined;

const MS10: Goal = { text: 'p99 <= 10 ms', met: ({ ours }) => ours.p99 <= 10 };

const theOne = (port: number): string =>
  policyText(NAMESPACE, 'the-one', {
    podSelector: { matchLabels: { app: 'receiver' } },
    ingress: [{ from: [{ podSelector: {} }], ports: [{ port, protocol: 'UDP' }] }],
  });

function fill(table: NodeTable, policies: number): void {
  table.put(namespaceText(NAMESPACE));
  for (const [name, ip] of [
    ['sender', SENDER_IP],
    ['receiver', RECEIVER_IP],
  ] as const) {
    table.put(podText({ namespace: NAMESPACE, name, labels: { app: name }, ip, node: 'node1' }));
    table.wire(NAMESPACE, name, ip);
  }
  for (let i = 1; i < policies; i++) {
    const labels = { app: `app-${i % 110}` };
    table.put(podText({ namespace: NAMESPACE, name: `pod-${i}`, labels, ip: podIp(i + 10), node: 'node1' }));
    if (i < 110) table.wire(NAMESPACE, `pod-${i}`, podIp(i + 10));
    const spec = {
      podSelector: { matchLabels: labels },
      ingress: [{ ports: [{ port: i }] }, { ports: [{ port: i + 2000 }] }],
    };
    table.put(policyText(NAMESPACE, `policy-${i}`, spec));
  }
  table.put(theOne(RECEIVER_PORT));
}

// What our change does, as text for nft: the chains that differ, emptied and filled again in one transaction.
function nftFiles(ours: NodeTable, directory: string) {
  const files = {
    table: join(directory, 'table.nft'),
    deny: join(directory, 'deny.nft'),
    allow: join(directory, 'allow.nft'),
  };
  writeFileSync(files.table, printRuleset({ table: POLICY_TABLE, objects: ours.model.nftObjects() }));
  for (const [file, port] of [
    [files.deny, RECEIVER_PORT + 1],
    [files.allow, RECEIVER_PORT],
  ] as const) {
    ours.put(theOne(port));
    const chains = ours.commit().flatMap(({ after }) => (after?.kind === 'chain' ? [after] : []));
    const flushes = chains.map(({ name }) => `flush chain inet ${POLICY_TABLE.name} ${name}\n`);
    const bodies = chains.map((chain) => `table inet ${POLICY_TABLE.name} {\n${printObject(chain)}\n}\n`);
    writeFileSync(file, [...flushes, ...bodies].join(''));
  }
  return files;
}

/** Has the flow answered, so that it is established. */
function establish({ sender, receiver }: TwoPods, packet: PacketBatch): void {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    sender.send(packet);
    if (receiver.drain() > 0) break;
    if (performance.now() > deadline) throw new Error('Cannot establish a flow: no packet arrives, expected one');
  }
  receiver.reply(SENDER_IP, SPORT);
}

/**
 * Time from the start of the change to the sending of the first of many packets that never arrive. `undefined`: a packet
 * that was under way in the moment of the commit was judged by the old chains and marked by the new ones, so that its
 * flow goes on; the agent's sweep would end it, which nft does not have.
 */
function untilDropped({ sender, receiver }: TwoPods, packet: PacketBatch, change: Change): number | undefined {
  let ended: number | undefined;
  receiver.drain();
  const began = performance.now();
  const program = change();
  let firstLost = 0;
  for (let lost = 0; lost < LOST_IN_A_ROW; ) {
    const at = performance.now();
    if (program?.ended()) {
      ended ??= at;
      if (at - ended > OVERTAKEN_MS) return undefined;
    }
    if (at - began > DEADLINE_MS) throw new Error('Cannot see the change: packets arrive, expected none');
    sender.send(packet);
    if (receiver.drain() > 0) lost = 0;
    else if (lost++ === 0) firstLost = at;
  }
  program?.wait();
  return firstLost - began;
}

/** Time from the start of the change to the sending of the first packet that arrives. */
function untilArrives({ sender, receiver }: TwoPods, packet: PacketBatch, change: Change): number {
  receiver.drain();
  const began = performance.now();
  const program = change();
  for (;;) {
    const at = performance.now();
    if (at - began > DEADLINE_MS) throw new Error('Cannot see the change: no packet arrives, expected one');
    sender.send(packet);
    if (receiver.drain() === 0) continue;
    program?.wait();
    return at - began;
  }
}
