// Packets of every state that conntrack knows, with every kind of mark, sent through the rendered table: the kernel must
// do with packet and mark what the walker says, since what the walker says is compared with the design elsewhere.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { generationMark, REVOKED } from '../../felix/render/policy/generation.ts';
import { openConntrack } from '../../lib/linux/conntrack.ts';
import type { Flow } from '../../lib/linux/conntrack-codec.ts';
import { hostIfName } from '../../lib/linux/if-name.ts';
import { inNetns } from '../../lib/linux/netns.ts';
import { createWalker, type WalkPacket } from '../../lib/nftables/walk.ts';
import { listenIn, volley } from '../support/frames/attacker.ts';
import { quiet } from '../support/frames/quiet.ts';
import * as raw from '../support/frames/raw-frame.ts';
import { addressesOf, cluster, knowNeighbour, macOf, NODE, NODE6, PODS } from './two-pods.ts';
import { policy, world } from './world-builder.ts';

const ENDS = {
  4: { a: PODS.a[0], b: PODS.b[0], node: NODE },
  6: { a: PODS.a[1], b: PODS.b[1], node: NODE6 },
} as const;
/** A flow of others. */
const FOREIGN = { 4: ['203.0.113.9', '203.0.113.10'], 6: ['2001:db8::9', '2001:db8::10'] } as const;
const WAYS = [
  ['a', 'b'],
  ['b', 'a'],
  ['a', 'node'],
] as const;
/** What the packet is to conntrack; `about` the flow: an error that quotes it. */
const KINDS = [
  { state: 'new' },
  { state: 'invalid' },
  { state: 'untracked' },
  { state: 'established', direction: 'original' },
  { state: 'established', direction: 'reply' },
  { state: 'related', direction: 'original' },
  { state: 'related', direction: 'reply' },
  { state: 'related', direction: 'reply', foreign: true },
] as const;
const [MARKED, SERVICE, UNTRACKED] = [9, 7000, 6000];

test('the kernel does with tracked packets and their marks what the walker says', { timeout: 120_000 }, async (t) => {
  const { node, a, b, show, renderer } = await cluster(t);
  await Promise.all([quiet(a), quiet(b)]);
  const pods = {
    a: { ear: listenIn(t, a.path), mac: await macOf(node, hostIfName('n', 'a')) },
    b: { ear: listenIn(t, b.path), mac: await macOf(node, hostIfName('n', 'b')) },
  };
  for (const name of ['a', 'b'] as const) await knowNeighbour(node, name, pods[name].ear.socket.mac);
  await node.exec('nft', WATCH);
  const rule = { ports: [{ port: MARKED, protocol: 'UDP' as const }] };
  const closed = policy('n/closed', {
    podSelector: { matchLabels: { is: 'closed' } },
    policyTypes: ['Ingress', 'Egress'],
    ingress: [rule],
    egress: [rule],
  });
  const texts = { 'n/a': { labels: { is: 'closed' }, ips: PODS.a }, 'n/b': { ips: PODS.b } };
  show(world({ pods: texts }));
  show(world({ pods: texts, policies: [closed] }));
  const current = generationMark(renderer.generation());
  const walk = createWalker({ objects: renderer.objects() });
  const marks = [0, 0x8000, current + 0x1234, current - 0x1_0000, generationMark(REVOKED)];
  let sport = 21_000;
  const conntrack = inNetns(node.path, openConntrack);
  t.after(conntrack.close);
  /** Flows of the service by the port of who asks, or is answered. */
  const tracked = async (): Promise<ReadonlyMap<number, Flow>> => {
    const found = new Map<number, Flow>();
    const next = conntrack.dump();
    for (let flows = await next(); flows !== undefined; flows = await next()) {
      for (const flow of flows) {
        const { src = 0, dst = 0 } = flow.original.ports ?? {};
        if (src === SERVICE || dst === SERVICE) found.set(src === SERVICE ? dst : src, flow);
      }
    }
    return found;
  };

  /** What the other pod hears of them, and of one that all let pass. */
  const send = async (from: 'a' | 'b', packets: readonly Buffer[]): Promise<readonly Buffer[]> => {
    const to = from === 'a' ? 'b' : 'a';
    const { ear, mac } = pods[from];
    const frame = (packet: Buffer): Buffer => raw.packetFrame({ to: mac, from: ear.socket.mac }, packet);
    const way = addressesOf(ENDS[4][from], ENDS[4][to]);
    const passing = raw.udp(way, { sport: sport++, dport: MARKED }, randomBytes(16));
    const mark = frame(raw.ipv4(way, raw.PROTOCOL.udp, passing));
    const [heard = []] = await volley(ear.socket, packets.map(frame), { mark, ears: [pods[to].ear] });
    return heard;
  };
  const reachedNode = (): Promise<string> => node.exec('nft', 'list', 'set', 'inet', 'watch', 'reached');

  for (const family of [4, 6] as const) {
    const entries: string[] = [];
    const given = new Map<number, number>();
    const shots = WAYS.flatMap(([from, to]) =>
      KINDS.flatMap((kind) =>
        ('direction' in kind ? marks : [0]).map((ctMark) => {
          const way = addressesOf(ENDS[family][from], ENDS[family][to]);
          const back = addressesOf(ENDS[family][to], ENDS[family][from]);
          const ports = { sport: sport++, dport: kind.state === 'untracked' ? UNTRACKED : SERVICE };
          const answer = { sport: ports.dport, dport: ports.sport };
          const direction = 'direction' in kind ? kind.direction : 'original';
          const other = addressesOf(FOREIGN[family][0], FOREIGN[family][1]);
          const [flow, its] =
            'foreign' in kind ? [other, ports] : direction === 'original' ? [way, ports] : [back, answer];
          if ('direction' in kind) {
            const tuple = `-p udp -s ${flow.saddr} -d ${flow.daddr} --sport ${its.sport} --dport ${its.dport}`;
            entries.push(`-I ${tuple} -t 600 -u SEEN_REPLY,ASSURED`);
            given.set(ports.sport, ctMark);
          }
          const payload = randomBytes(16);
          const [quotedWay, quotedPorts] = 'foreign' in kind ? [flow, its] : [back, answer];
          const quoted = raw.packet(quotedWay, raw.PROTOCOL.udp, raw.udp(quotedWay, quotedPorts, payload));
          // Without a flag it is no packet of any connection.
          const packet =
            kind.state === 'related'
              ? raw.portUnreachable(way, quoted)
              : kind.state === 'invalid'
                ? raw.packet(way, raw.PROTOCOL.tcp, raw.tcp(way, ports, 0, payload))
                : raw.packet(way, raw.PROTOCOL.udp, raw.udp(way, ports, payload));
          const error = family === 4 ? { protocol: 'icmp', icmpType: 3 } : { protocol: 'ipv6-icmp', icmpType: 1 };
          const what =
            kind.state === 'related' ? error : { protocol: kind.state === 'invalid' ? 'tcp' : 'udp', ...ports };
          const walked = walk(to === 'node' ? 'input' : 'forward', {
            iifname: hostIfName('n', from),
            ...(to === 'node' ? {} : { oifname: hostIfName('n', to) }),
            ...way,
            ...what,
            ctState: kind.state,
            ctDirection: direction,
            ctMark,
            ctSaddr: { original: flow.saddr, reply: flow.daddr },
          } as WalkPacket);
          const name = `IPv${family} ${from} to ${to}, ${JSON.stringify(kind)}, mark ${ctMark.toString(16)}`;
          return { name, from, to, packet, payload, port: ports.sport, isError: kind.state === 'related', walked };
        }),
      ),
    );
    const file = join(tmpdir(), `margay-tracked-${process.pid}`);
    t.after(() => rmSync(file, { force: true }));
    writeFileSync(file, `${entries.join('\n')}\n`);
    await node.exec('conntrack', '-R', file);
    const flows = await tracked();
    assert.equal(flows.size, given.size);
    for (const [port, flow] of flows) conntrack.setMark([flow], { value: given.get(port) ?? 0, mask: 0xffffffff });

    const framesOf = (sender: 'a' | 'b') => shots.filter(({ from }) => from === sender).map(({ packet }) => packet);
    const heard = { a: await send('b', framesOf('b')), b: await send('a', framesOf('a')) };
    const reached = await reachedNode();
    const after = await tracked();
    for (const { name, to, payload, port, isError, walked } of shots) {
      const came = to === 'node' ? reached.includes(` ${port}`) : heard[to].some((frame) => frame.includes(payload));
      // An error has no port to be known by at the node.
      if (to !== 'node' || !isError) assert.equal(came ? 'accept' : 'drop', walked.verdict, name);
      if (given.has(port)) assert.equal(after.get(port)?.mark, walked.ctMark, `${name}: its mark`);
    }
    await node.exec('conntrack', '-F');
  }

  // Two pods with one link-local address: what the node lets the one do is nothing to the other.
  const way = addressesOf('fe80::9', 'fe80::1');
  const ports = { sport: sport++, dport: SERVICE };
  const packet = raw.packet(way, raw.PROTOCOL.udp, raw.udp(way, ports, randomBytes(16)));
  const flow = `-p udp -s fe80::9 -d fe80::1 --sport ${ports.sport} --dport ${ports.dport} -t 600 -u SEEN_REPLY,ASSURED`;
  await node.exec('conntrack', '-I', ...flow.split(' '));
  for (const [from, expected] of [
    ['b', true],
    ['a', false],
  ] as const) {
    await node.exec('nft', 'flush set inet watch reached');
    await send(from, [packet, packet]);
    assert.equal((await reachedNode()).includes(` ${ports.sport}`), expected, `link-local from ${from}`);
  }
});

/** Ports of what comes to the node past our chains, and what conntrack shall not see. */
const WATCH = `table inet watch {
  set reached { type inet_service; flags dynamic; }
  chain raw { type filter hook prerouting priority -299; udp dport ${UNTRACKED} notrack; }
  chain local { type filter hook input priority 100; add @reached { th sport }; }
  chain out { type filter hook output priority 0; policy drop; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; }
}`;
