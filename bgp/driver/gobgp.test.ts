import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Cidr } from '../../lib/cidr.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { bgpSegment, type Speaker, startSpeaker } from '../../test/support/bgp-segment.ts';
import {
  ADDRESS,
  asn,
  BLOCK,
  cidr,
  desiredOf,
  desiredOfTor,
  ip,
  NEVER,
  nodeObject,
  peerObject,
} from '../../test/support/bgp-world.ts';
import { gobgpds } from '../../test/support/gobgpds.ts';
import type { BgpEvent, DesiredPeer, PeerState } from '../model/types.ts';
import { BgpError, createRpc } from './rpc.ts';

const WAIT = { timeoutMs: 60_000 };
const MARKER = cidr('10.244.9.0/24');
const NO_PEERS = { added: [], replaced: [], removed: [] };

for (const { generation, program, codec } of await gobgpds())
  test(`gobgpd ${generation}: a mesh of two nodes and a router above them`, async (t) => {
    const routers = await bgpSegment(t, ADDRESS);
    const n1 = startSpeaker(t, routers.n1, program);
    const n2 = startSpeaker(t, routers.n2, program);
    // Always that of the distribution: sessions between the generations.
    const tor = startSpeaker(t, routers.tor);

    await t.test('apply() starts fresh speakers and all sessions come up', async (t) => {
      await Promise.all([n1, n2, tor].map((speaker) => speaker.seen('up')));
      assert.deepEqual(await Promise.all([n1, tor].map(({ gobgp }) => gobgp.generation())), [generation, '3.x']);
      const began = performance.now();
      const reports = await Promise.all([
        n1.gobgp.apply(desiredOf('n1'), NEVER),
        n2.gobgp.apply(desiredOf('n2'), NEVER),
        tor.gobgp.apply(desiredOfTor(), NEVER),
      ]);
      assert.deepEqual(
        reports.map(({ outcome, problems, started, paths }) => ({ outcome, problems, started, paths })),
        Array(3).fill({ outcome: 'applied', problems: [], started: true, paths: { added: 1, removed: 0 } }),
      );
      await allEstablished([n1, n2, tor]);
      t.diagnostic(`all sessions established ${Math.round(performance.now() - began)} ms after apply()`);
    });

    await t.test('each node learns the block of the other, and only there what was asked for', async () => {
      await learns(n1, { [BLOCK.n2]: [ADDRESS.n2] });
      await learns(n2, { [BLOCK.n1]: [ADDRESS.n1] });
      const asked = await n1.gobgp.ribOf([BLOCK.n2, cidr('10.244.99.0/24'), cidr('fd00::/64')]);
      assert.deepEqual(
        asked.map(({ prefix, from }) => ({ prefix, from })),
        [{ prefix: BLOCK.n2, from: ADDRESS.n2 }],
      );
      assert.deepEqual(await n1.gobgp.ribOf([]), []);
    });

    await t.test('the router hears each block from its owner alone', async () => {
      const paths = await waitFor(
        'both blocks',
        async () => {
          const learned = (await tor.gobgp.rib()).filter(({ local }) => !local);
          return learned.length >= 2 && learned.sort((a, b) => (a.prefix < b.prefix ? -1 : 1));
        },
        WAIT,
      );
      assert.deepEqual(
        paths.map(({ prefix, from, nextHop, asPath, ebgp }) => ({ prefix, from, nextHop, asPath, ebgp })),
        (['n1', 'n2'] as const).map((node) => ({
          prefix: BLOCK[node],
          from: ADDRESS[node],
          nextHop: ADDRESS[node],
          asPath: [64512],
          ebgp: true,
        })),
      );
    });

    await t.test('peers() tells state, counters and description', async () => {
      await waitFor('end of RIB', async () => (await n1.gobgp.peers()).every(({ endOfRib }) => endOfRib), WAIT);
      assert.deepEqual(
        (await n1.gobgp.peers())
          .map(({ uptimeSeconds, ...rest }) => ({ ...rest, up: typeof uptimeSeconds }))
          .sort(byAddress),
        [
          { address: ADDRESS.n2, asn: 64512, description: 'mesh n2' },
          { address: ADDRESS.tor, asn: 64600, description: 'BGPPeer tor' },
        ].map((peer) => ({
          ...peer,
          state: 'established',
          flaps: 0,
          received: 1,
          accepted: 1,
          advertised: 1,
          endOfRib: true,
          opensReceived: 1,
          families: new Map([[4, { received: 1, accepted: 1, advertised: 1, endOfRib: true }]]),
          up: 'number',
        })),
      );
    });

    await t.test('the same state again sends nothing and flaps nothing', async () => {
      // What the tests before have caused is told before these two changes are.
      const more = { blocks: [BLOCK.n1, MARKER] };
      for (const change of [more, {}]) {
        const told = n1.events.length;
        await n1.gobgp.apply(desiredOf('n1', change), NEVER);
        await waitFor('an event', () => n1.events.slice(told).some((event) => isAbout(event, MARKER)), WAIT);
      }
      const before = n1.events.length;
      for (let i = 0; i < 3; i++) {
        const report = await n1.gobgp.apply(desiredOf('n1'), NEVER);
        assert.deepEqual(report, {
          outcome: 'applied',
          problems: [],
          started: false,
          paths: { added: 0, removed: 0 },
          peers: { ...NO_PEERS, unchanged: 2 },
        });
      }
      assert.deepEqual(n1.events.slice(before), []);
      assert.ok((await n1.gobgp.peers()).every(({ state, flaps }) => state === 'established' && flaps === 0));
    });

    await t.test('a block that comes and one that goes reach the other node', async () => {
      const blocks = [cidr('10.244.7.0/24'), cidr('10.244.8.128/25')];
      const report = await n1.gobgp.apply(desiredOf('n1', { blocks }), NEVER);
      assert.deepEqual(report.paths, { added: 2, removed: 1 });
      await learns(n2, { '10.244.7.0/24': [ADDRESS.n1], '10.244.8.128/25': [ADDRESS.n1] });
      await n1.gobgp.apply(desiredOf('n1'), NEVER);
      await learns(n2, { [BLOCK.n1]: [ADDRESS.n1] });
      assert.ok(n2.events.some(({ kind }) => kind === 'rib-changed'));
    });

    await t.test('what else is in gobgpd is removed', async () => {
      const rpc = createRpc(join(routers.n1.folder, 'gobgp.sock'));
      t.after(() => rpc.close());
      const template = [...desiredOf('n1').peers.values()][0];
      assert.ok(template);
      const stranger: DesiredPeer = { ...template, address: ip('198.51.100.77') };
      await rpc.unary(codec.addPeer, { peer: stranger, note: 'from elsewhere' });
      await rpc.unary(codec.addPath, { prefix: cidr('203.0.113.0/24'), path: { nextHop: ip(ADDRESS.n1) } });
      const report = await n1.gobgp.apply(desiredOf('n1'), NEVER);
      assert.deepEqual(report.peers, { ...NO_PEERS, removed: ['198.51.100.77'], unchanged: 2 });
      assert.deepEqual(report.paths, { added: 0, removed: 1 });
    });

    await t.test('what only a restart changes is reported, and nothing is touched', async () => {
      const nodes = [nodeObject('n1', ADDRESS.n1, { 'projectcalico.org/ASNumber': '64999' })];
      const report = await n1.gobgp.apply(desiredOf('n1', { nodes }), NEVER);
      assert.equal(report.outcome, 'restart-needed');
      assert.deepEqual(report.problems, [
        'Cannot change AS number of a running gobgpd: is "64512", expected "64999"; restart it',
      ]);
      assert.equal((await n1.gobgp.peers()).length, 2);
    });

    await t.test('a changed peer starts anew, the others do not notice', async () => {
      const changed = peerObject('tor', { peerIP: ADDRESS.tor, asNumber: 64600, keepaliveTime: '10s' });
      const report = await n2.gobgp.apply(desiredOf('n2', { peers: [changed] }), NEVER);
      assert.deepEqual(report.peers, { ...NO_PEERS, replaced: [ADDRESS.tor], unchanged: 1 });
      assert.deepEqual(mesh(await n2.gobgp.peers()), [{ state: 'established', flaps: 0 }]);
      await waitFor('the new session', async () => (await n2.gobgp.peers()).every(isEstablished), WAIT);
      assert.deepEqual(mesh(await n2.gobgp.peers()), [{ state: 'established', flaps: 0 }]);
    });

    await t.test('a killed gobgpd is re-driven; its routes stay at the others meanwhile', async (t) => {
      await n1.crash();
      await n1.seen('down');
      await assert.rejects(n1.gobgp.rib(), (error) => error instanceof BgpError && error.code === 'unreachable');
      assert.equal((await n1.gobgp.apply(desiredOf('n1'), NEVER)).outcome, 'unreachable');
      await learns(n2, { [BLOCK.n1]: [ADDRESS.n1] });
      n1.restart();
      await n1.seen('up', 2);
      await assert.rejects(n1.gobgp.rib(), (error) => error instanceof BgpError && error.code === 'refused');
      const began = performance.now();
      const report = await n1.gobgp.apply(desiredOf('n1'), NEVER);
      assert.deepEqual([report.outcome, report.started, report.peers.added.length], ['applied', true, 2]);
      await allEstablished([n1, n2]);
      t.diagnostic(`all sessions established ${Math.round(performance.now() - began)} ms after apply()`);
      await learns(n1, { [BLOCK.n2]: [ADDRESS.n2] });
      await learns(n2, { [BLOCK.n1]: [ADDRESS.n1] });
    });

    await t.test('a mesh that is switched off leaves the other peers', async () => {
      const configuration = {
        apiVersion: 'projectcalico.org/v3',
        kind: 'BGPConfiguration',
        metadata: { name: 'default' },
        spec: { nodeToNodeMeshEnabled: false, asNumber: asn(64512) },
      } as const;
      const report = await n1.gobgp.apply(desiredOf('n1', { configuration }), NEVER);
      assert.deepEqual(report.peers, { ...NO_PEERS, removed: [ADDRESS.n2], unchanged: 1 });
      assert.ok((await n1.gobgp.peers()).every(isEstablished));
    });
  });

test('nodes of two ASes exchange IPv4 and IPv6 blocks over one session, each with the address of its node', async (t) => {
  const { n1: r1, n2: r2 } = await bgpSegment(t, { n1: ADDRESS.n1, n2: ADDRESS.n2 });
  const [n1, n2] = [startSpeaker(t, r1), startSpeaker(t, r2)];
  const six = { n1: cidr('fd00:10:244::100/120'), n2: cidr('fd00:10:244::200/120') };
  const at = (address: string) => ({ 'projectcalico.org/IPv6Address': `${address}/64` });
  const nodes = [
    nodeObject('n1', ADDRESS.n1, at('fd00:10:245::1')),
    nodeObject('n2', ADDRESS.n2, { ...at('fd00:10:245::2'), 'projectcalico.org/ASNumber': '64513' }),
  ];
  await r1.netns.exec('ip', 'address', 'add', 'fd00:10:245::1/64', 'dev', 'eth0', 'nodad');
  await r2.netns.exec('ip', 'address', 'add', 'fd00:10:245::2/64', 'dev', 'eth0', 'nodad');
  for (const [speaker, node] of [[n1, 'n1'] as const, [n2, 'n2'] as const]) {
    await speaker.seen('up');
    const desired = desiredOf(node, { nodes, peers: [], blocks: [BLOCK[node], six[node]] });

    const { paths, problems } = await speaker.gobgp.apply(desired, NEVER);
    assert.deepEqual([problems, paths], [[], { added: 2, removed: 0 }]);
    assert.deepEqual((await speaker.gobgp.apply(desired, NEVER)).paths, { added: 0, removed: 0 });
  }
  await learns(n1, { [BLOCK.n2]: [ADDRESS.n2], [six.n2]: ['fd00:10:245::2'] });
  await learns(n2, { [BLOCK.n1]: [ADDRESS.n1], [six.n1]: ['fd00:10:245::1'] });
  const learnedPaths = (await n1.gobgp.rib()).filter(({ local }) => !local);
  assert.deepEqual(
    learnedPaths.map(({ ebgp, asPath, asPathLength }) => ({ ebgp, asPath, asPathLength })),
    Array(2).fill({ ebgp: true, asPath: [64513], asPathLength: 1 }),
  );
});

test('an address that gobgpd cannot listen on is named; apply() works once it is there', async (t) => {
  const { n1: router } = await bgpSegment(t, { n1: '198.51.100.9' });
  const { gobgp, seen } = startSpeaker(t, router);
  await seen('up');
  const report = await gobgp.apply(desiredOf('n1'), NEVER);
  assert.equal(report.outcome, 'incomplete');
  assert.match(report.problems.join(), /Cannot call gobgpd "StartBgp": .*198\.51\.100\.1:179.*cannot assign/);
  await router.netns.exec('ip', 'address', 'add', `${ADDRESS.n1}/24`, 'dev', 'eth0');
  assert.deepEqual((await gobgp.apply(desiredOf('n1'), NEVER)).problems, []);
});

test('a gobgpd that kept some of its addresses and can never have the others has to be started anew', async (t) => {
  const { n1: router } = await bgpSegment(t, { n1: ADDRESS.n1 });
  const { gobgp, seen, crash, restart } = startSpeaker(t, router);
  await seen('up');
  const desired = desiredOf('n1');
  const listenAddresses = [...desired.global.listenAddresses, ip('198.51.100.77')];
  assert.equal(
    (await gobgp.apply({ ...desired, global: { ...desired.global, listenAddresses } }, NEVER)).outcome,
    'incomplete',
  );
  assert.equal((await gobgp.apply(desired, NEVER)).outcome, 'restart-needed');
  await crash();
  restart();
  await seen('up', 2);
  assert.equal((await gobgp.apply(desired, NEVER)).outcome, 'applied');
});

for (const { generation, program } of await gobgpds())
  test(`gobgpd ${generation} has to be started anew to take calls of a peer without its password`, async (t) => {
    const { n1: router } = await bgpSegment(t, { n1: ADDRESS.n1 });
    const { gobgp, seen, crash, restart } = startSpeaker(t, router, program);
    await seen('up');
    const desired = desiredOf('n1');
    const peers = (password: string | undefined, connect: DesiredPeer['connect']) => ({
      ...desired,
      peers: new Map(
        [...desired.peers].map(([address, { password: _, ...peer }]) => [
          address,
          { ...peer, connect, ...(password === undefined ? {} : { password }) },
        ]),
      ),
    });
    const outcome = async (...change: Parameters<typeof peers>) => {
      const { outcome, problems } = await gobgp.apply(peers(...change), NEVER);
      return [outcome, problems.length];
    };
    assert.deepEqual(await outcome('secret', 'passive'), ['applied', 0]);
    assert.deepEqual(await outcome('another', 'passive'), ['applied', 0]);
    assert.deepEqual(await outcome(undefined, 'passive'), ['restart-needed', 2]);
    assert.deepEqual(await outcome(undefined, 'passive'), ['restart-needed', 2], 'until it is');
    await crash();
    restart();
    await seen('up', 2);
    assert.deepEqual(await outcome(undefined, 'passive'), ['applied', 0]);
    // A gobgpd that calls needs nobody's call.
    assert.deepEqual(await outcome('secret', 'active'), ['applied', 0]);
    assert.deepEqual(await outcome(undefined, 'active'), ['applied', 0]);
  });

test('apply() and rib() end when they are told to', async (t) => {
  const { n1: router } = await bgpSegment(t, { n1: ADDRESS.n1 });
  const { gobgp, seen } = startSpeaker(t, router);
  await seen('up');
  const reason = new Error('enough');
  await assert.rejects(gobgp.apply(desiredOf('n1'), AbortSignal.abort(reason)), reason);
  await assert.rejects(gobgp.rib(AbortSignal.abort(reason)), reason);
  assert.equal((await gobgp.apply(desiredOf('n1'), NEVER)).outcome, 'applied');
});

const isAbout = (event: BgpEvent, prefix: Cidr): boolean =>
  event.kind === 'rib-changed' && event.prefixes?.has(prefix) === true;

const isEstablished = ({ state }: PeerState): boolean => state === 'established';

const byAddress = (a: { readonly address: string }, b: { readonly address: string }): number =>
  a.address < b.address ? -1 : 1;

const mesh = (peers: readonly PeerState[]) =>
  peers.filter(({ asn }) => asn === 64512).map(({ state, flaps }) => ({ state, flaps }));

const allEstablished = (speakers: readonly Speaker[]) =>
  waitFor(
    'all sessions',
    async () => {
      const states = await Promise.all(speakers.map(({ gobgp }) => gobgp.peers()));
      return states.every((peers) => peers.length === 2 && peers.every(isEstablished));
    },
    WAIT,
  );

const learned = async ({ gobgp }: Speaker): Promise<Readonly<Record<string, readonly string[]>>> => {
  const paths = (await gobgp.rib()).filter(({ local, prefix }) => !local && prefix !== '0.0.0.0/0');
  const byPrefix = Map.groupBy(paths, ({ prefix }) => prefix);
  return Object.fromEntries(
    [...byPrefix].map(([prefix, all]) => [prefix, all.map(({ nextHop }) => nextHop)] as const).sort(),
  );
};

function learns(speaker: Speaker, expected: Readonly<Record<string, readonly string[]>>) {
  const wanted = JSON.stringify(expected);
  return waitFor(
    `routes ${wanted}`,
    async () => {
      return JSON.stringify(await learned(speaker)) === wanted;
    },
    WAIT,
  );
}
