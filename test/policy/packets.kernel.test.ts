// Real packets through the rendered table: a node and its pods as namespaces. Echo requests of one ping are one flow of
// conntrack, which makes a running ping the live connection that a policy change must cut or spare.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { GENERATION_MASK, generationMark, REVOKED } from '../../felix/render/policy/generation.ts';
import { ipFamily } from '../../lib/ip.ts';
import { hostIfName } from '../../lib/linux/if-name.ts';
import { waitFor } from '../../lib/wait-for.ts';
import type { World } from '../../policy/oracle.ts';
import { listenIn, volley } from '../support/frames/attacker.ts';
import { ports } from '../support/frames/odd-packets.ts';
import { quiet } from '../support/frames/quiet.ts';
import * as raw from '../support/frames/raw-frame.ts';
import type { TestNetns } from '../support/netns.ts';
import { addressesOf, cluster, knowNeighbour, macOf, NODE, NODE6, PODS, STRANGE } from './two-pods.ts';
import { clusterPolicy, policy, world } from './world-builder.ts';

const [A4, A6] = PODS.a;
const [B4, B6] = PODS.b;

const isA = { matchLabels: { pod: 'a' } };
const isB = { matchLabels: { pod: 'b' } };
const BOTH: ('Ingress' | 'Egress')[] = ['Ingress', 'Egress'];
const denyAll = policy('n/deny', { policyTypes: BOTH });
const aToB = [
  policy('n/out', { podSelector: isA, policyTypes: ['Egress'], egress: [{ to: [{ podSelector: isB }] }] }),
  policy('n/in', { podSelector: isB, ingress: [{ from: [{ podSelector: isA }] }] }),
];

const worldOf = (policies: World['policies'], ipsOfA: readonly string[] = PODS.a): World =>
  world({
    nodes: { own: [NODE, NODE6] },
    nodeLabels: { own: { role: 'own' } },
    pods: { 'n/a': { labels: { pod: 'a' }, ips: ipsOfA }, 'n/b': { labels: { pod: 'b' }, ips: PODS.b } },
    policies,
  });

test('packets between pods, their node and strangers', { timeout: 120_000 }, async (t) => {
  const { node, a, b, show } = await cluster(t);
  const cells = async (expected: Readonly<Record<string, boolean>>): Promise<void> => {
    const pairs: readonly (readonly [string, TestNetns, string])[] = [
      ['a > b', a, B4],
      ['a > b v6', a, B6],
      ['b > a', b, A4],
      ['a > node', a, NODE],
      ['a > node v6', a, NODE6],
      ['node > a', node, A4],
      ['node > a v6', node, A6],
    ];
    const seen = await Promise.all(
      pairs.map(async ([name, from, to]) => {
        const arrives = expected[name] === true ? reaches(from, to) : pings(from, to);
        return [name, await arrives] as const;
      }),
    );
    assert.deepEqual(Object.fromEntries(seen), expected);
  };

  assert.equal(await pings(node, A4), false, 'an interface that is not known');
  show(worldOf([]));
  const open = {
    'a > b': true,
    'a > b v6': true,
    'b > a': true,
    'a > node': true,
    'a > node v6': true,
    'node > a': true,
    'node > a v6': true,
  };
  await cells(open);
  show(worldOf([denyAll]));
  const closed = { 'a > b': false, 'a > b v6': false, 'b > a': false, 'a > node': false, 'a > node v6': false };
  await cells({ ...open, ...closed });
  show(worldOf([denyAll, ...aToB]));
  await cells({ ...open, ...closed, 'a > b': true, 'a > b v6': true });
  show(worldOf([denyAll, policy('n/node', { egress: [{ to: [{ ipBlock: { cidr: `${NODE}/32` } }] }] })]));
  await cells({ ...open, ...closed, 'a > node': true });

  const own = { nodes: { matchLabels: { role: 'own' } } };
  const stopB = clusterPolicy('stop', {
    priority: 2,
    subject: { pods: { podSelector: isB } },
    ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }],
  });
  const toNode = clusterPolicy('node', { priority: 3, egress: [{ action: 'Accept', to: [own] }] });
  show(worldOf([denyAll, ...aToB, stopB, toNode]));
  await cells({ ...open, ...closed, 'a > node': true, 'a > node v6': true });
  const pass = clusterPolicy('pass', {
    priority: 1,
    ingress: [{ action: 'Pass', from: [{ pods: { podSelector: isA } }] }],
  });
  show(worldOf([denyAll, ...aToB, stopB, toNode, pass]));
  await cells({
    ...open,
    ...closed,
    'a > node': true,
    'a > node v6': true,
    'a > b': true,
    'a > b v6': true,
  });
  show(worldOf([clusterPolicy('base', { tier: 'Baseline', egress: [{ action: 'Deny', to: [own] }] })]));
  await cells({ ...open, 'a > node': false, 'a > node v6': false });

  show(worldOf([]));
  assert.equal(await pings(a, NODE, STRANGE), false, 'an address that is not the pod’s');
  show(worldOf([], [...PODS.a, STRANGE]));
  assert.equal(await reaches(a, NODE, STRANGE), true, 'the address once it is the pod’s');
});

test('a live flow is cut when its policy goes, spared when another changes, and resumes', {
  timeout: 120_000,
}, async (t) => {
  const { a, show, drops } = await cluster(t);
  show(worldOf([denyAll, ...aToB]));
  // With the time of each answer: this program may read it much later.
  const flow = a.spawn('ping', ['-D', '-i', '0.1', B4], { stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  flow.stdout?.on('data', (text: Buffer) => {
    said += text.toString();
  });
  /** In seconds since 1970. */
  const replies = (): readonly number[] =>
    [...said.matchAll(/^\[([\d.]+)\] \d+ bytes from/gm)].map(([, time]) => Number(time));
  const more = (what: string): Promise<unknown> => {
    const wanted = replies().length + 5;
    return waitFor(what, () => replies().length >= wanted, { timeoutMs: 20_000 });
  };
  await more('replies');

  const before = await drops();
  show(worldOf([denyAll, ...aToB, policy('n/other', { podSelector: isB, ingress: [{ ports: [{ port: 80 }] }] })]));
  await more('replies after another policy came');
  assert.equal(await drops(), before, 'no packet of the flow was dropped');

  show(worldOf([denyAll]));
  const cutAt = Date.now() / 1000;
  await waitFor('dropped requests', async () => (await drops()) >= before + 5, { timeoutMs: 20_000 });
  const late = replies().filter((time) => time > cutAt);
  // A reply may have been on its way.
  assert.ok(late.length <= 1, `${late.length} replies after the cut`);

  show(worldOf([denyAll, ...aToB]));
  await more('replies after the policy came back');
});

test('what is denied reaches a listener of the nflog group, and nothing else does', { timeout: 60_000 }, async (t) => {
  const { node, a, b, show } = await cluster(t, { group: 7, ratePerSecond: 1000 });
  const listener = node.spawn('tcpdump', ['-nli', 'nflog:7'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [heard, ready] = ['', ''];
  listener.stdout?.on('data', (text: Buffer) => {
    heard += text.toString();
  });
  listener.stderr?.on('data', (text: Buffer) => {
    ready += text.toString();
  });
  await waitFor('the listener', () => ready.includes('listening on'), { timeoutMs: 20_000 });
  show(worldOf([denyAll, ...aToB]));
  assert.equal(await reaches(a, B4), true);
  assert.equal(await pings(b, A4), false);
  await waitFor('the denied packet', () => heard.includes(`${B4} > ${A4}`), { timeoutMs: 20_000 });
  assert.doesNotMatch(heard, new RegExp(`${A4} > ${B4}`));
});

test('an error about a flow that was revoked does not bring it back', { timeout: 60_000 }, async (t) => {
  const { node, a, b, show } = await cluster(t);
  await Promise.all([quiet(a), quiet(b)]);
  const [atA, atB] = [listenIn(t, a.path), listenIn(t, b.path)];
  await knowNeighbour(node, 'a', atA.socket.mac);
  await knowNeighbour(node, 'b', atB.socket.mac);
  const macs = await Promise.all(['a', 'b'].map((name) => macOf(node, hostIfName('n', name))));
  const open = (port: number) =>
    [isA, isB].map((podSelector, index) => {
      const rule = { ports: [{ port, protocol: 'UDP' as const }] };
      return policy(`n/${port}-${index}`, { podSelector, policyTypes: BOTH, ingress: [rule], egress: [rule] });
    });

  for (const [from, to] of [
    [A4, B4],
    [A6, B6],
  ] as const) {
    const [there, back] = [addressesOf(from, to), addressesOf(to, from)];
    const asked = ports(7000);
    const answered = { sport: asked.dport, dport: asked.sport };
    /** Whether the packet comes to the other pod, with something in it to be known by. */
    const passes = async (way: typeof there, packet: (payload: Buffer) => Buffer): Promise<boolean> => {
      const [own, other, mac = assert.fail()] = way === there ? [atA, atB, macs[0]] : [atB, atA, macs[1]];
      const frame = (bytes: Buffer): Buffer => raw.packetFrame({ to: mac, from: own.socket.mac }, bytes);
      const four = way === there ? addressesOf(A4, B4) : addressesOf(B4, A4);
      const mark = frame(raw.ipv4(four, raw.PROTOCOL.udp, raw.udp(four, ports(9), randomBytes(16))));
      const payload = randomBytes(16);
      const [heard = []] = await volley(own.socket, [frame(packet(payload))], { mark, ears: [other] });
      return heard.some((each) => each.includes(payload));
    };
    const datagram = (way: typeof there, its: raw.Ports) => (payload: Buffer) =>
      raw.packet(way, raw.PROTOCOL.udp, raw.udp(way, its, payload));
    const asks = (): Promise<boolean> => passes(there, datagram(there, asked));
    const answers = (): Promise<boolean> => passes(back, datagram(back, answered));
    const complains = (): Promise<boolean> =>
      passes(there, (payload) => raw.portUnreachable(there, datagram(back, answered)(payload)));

    show(worldOf([denyAll, ...open(9), ...open(7000)]));
    assert.deepEqual([await asks(), await answers(), await complains()], [true, true, true], `to ${to}`);
    show(worldOf([denyAll, ...open(9)]));
    assert.deepEqual([await asks(), await complains(), await asks()], [false, true, false], `to ${to}, after a change`);
    const revoke = ['-U', '-f', ipFamily(there.saddr) === 4 ? 'ipv4' : 'ipv6', '-p', 'udp', '--dport', '7000'];
    await node.exec('conntrack', ...revoke, '--mark', `${generationMark(REVOKED)}/${GENERATION_MASK}`);
    assert.deepEqual(
      [await asks(), await answers(), await complains(), await asks(), await answers()],
      [false, false, true, false, false],
      `to ${to}, marked as revoked`,
    );
  }
});

/** Whether one of two packets is answered soon: for what is expected to be dropped. */
const pings = (from: TestNetns, to: string, source?: string): Promise<boolean> =>
  ping(from, ['-c2', '-i0.2', '-W1'], to, source);

/** Whether a packet is answered at all: waits as long as a busy machine takes, and asks until then. */
const reaches = (from: TestNetns, to: string, source?: string): Promise<boolean> =>
  ping(from, ['-c1', '-i0.2', '-w15'], to, source);

const ping = (from: TestNetns, how: readonly string[], to: string, source?: string): Promise<boolean> =>
  from.exec('ping', ...how, ...(source === undefined ? [] : ['-I', source]), to).then(
    () => true,
    () => false,
  );
