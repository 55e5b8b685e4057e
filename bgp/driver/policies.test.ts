// One speaker between two others, as the driver drives it: what the policies let through, what events lead to, what
// passwords and limits do. The two dial; they are 4.x where it can be had, which dials sooner.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Cidr } from '../../lib/cidr.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { bgpSegment, type Speaker, startSpeaker } from '../../test/support/bgp-segment.ts';
import { ACCEPT, ADDRESS, desired, OWN } from '../../test/support/bgp-triple.ts';
import { cidr, ip, NEVER } from '../../test/support/bgp-world.ts';
import { collect } from '../../test/support/collect.ts';
import { gobgpds } from '../../test/support/gobgpds.ts';
import type { RoutePolicy, RouteStatement } from '../model/route-policy.ts';
import type { BgpEvent, DesiredBgp, RibPath } from '../model/types.ts';
import { applyBgp } from './apply.ts';
import { createDirtyRib } from './dirty-rib.ts';
import { BgpError, createRpc, type Rpc } from './rpc.ts';

const until = <T>(what: string, probe: Parameters<typeof waitFor<T>>[1]) => waitFor(what, probe, { timeoutMs: 60_000 });
const [P1, P2] = [cidr('10.244.1.0/24'), cidr('10.244.2.0/24')];
const [MARKER, AFTER] = [cidr('10.244.9.0/24'), cidr('10.244.8.0/24')];
const MANY = 5000;
const BFD = { receiveMs: 300, transmitMs: 300, multiplier: 3 };

const all = Array.from({ length: MANY }, (_, index) => cidr(`10.${100 + Math.floor(index / 256)}.${index % 256}.0/24`));
const community = (high: number, low: number) => ({ kind: 'standard', value: high * 65536 + low }) as const;

const daemons = await gobgpds();
const helper = daemons.at(-1)?.program;

for (const { generation, codec, program } of daemons) {
  test(`gobgpd ${generation}: policies, events, passwords and limits`, async (t) => {
    const routers = await bgpSegment(t, { own: ADDRESS.own, left: ADDRESS.a, right: ADDRESS.b });
    const own = startSpeaker(t, routers.own, program);
    const [a, b] = [startSpeaker(t, routers.left, helper), startSpeaker(t, routers.right, helper)];
    const paths = {
      [P1]: {
        communities: [65000 * 65536 + 1],
        largeCommunities: [[4200000000, 1, 2]] as const,
        med: 7,
        localPref: 200,
      },
      [P2]: {},
    };
    const peers = [{ to: 'a' }, { to: 'b' }] as const;
    const apply = async (speaker: Speaker, wanted: DesiredBgp) => {
      const report = await speaker.gobgp.apply(wanted, NEVER);
      assert.deepEqual([report.outcome, report.problems], ['applied', []]);
      return report;
    };
    const flaps = async () => (await own.gobgp.peers()).map(({ state, flaps }) => ({ state, flaps }));
    const CALM = Array(2).fill({ state: 'established', flaps: 0 });

    await t.test('sessions come up, and paths keep all that they carry', async () => {
      await Promise.all([own, a, b].map((speaker) => speaker.seen('up')));
      await apply(own, desired('own', peers, paths));
      await apply(a, desired('a', [{ to: 'own' }], {}));
      await apply(b, desired('b', [{ to: 'own' }], {}));
      await has(a, { [P1]: 1, [P2]: 1 });
      await has(b, { [P1]: 1, [P2]: 1 });
      const [local] = await own.gobgp.ribOf([P1]);
      assert.deepEqual([local?.localPref, local?.med, local?.largeCommunities], [200, 7, [[4200000000, 1, 2]]]);
      const [sent] = await a.gobgp.ribOf([P1]);
      assert.deepEqual(
        [sent?.communities, sent?.largeCommunities, sent?.med, sent?.asPath, sent?.nextHop],
        [[65000 * 65536 + 1], [[4200000000, 1, 2]], 7, [64512], ADDRESS.own],
      );
    });

    const changed: RoutePolicy = {
      statements: [
        {
          name: 'changes for one peer',
          match: {
            peers: [ip(ADDRESS.a)],
            source: 'local',
            communities: [community(65000, 9), { kind: 'large', global: 4200000000, local1: 1, local2: 2 }],
            asPathPrefix: [64512],
            nextHops: [cidr('198.51.100.0/28')],
          },
          set: {
            addCommunities: [community(65535, 0), { kind: 'large', global: 64512, local1: 3, local2: 4 }],
            prependAsPath: [64512, 64999, 64999],
            med: 50,
          },
          action: 'accept',
        },
        {
          name: 'one prefix is not for that peer',
          match: { peers: [ip(ADDRESS.a)], prefixes: [{ cidr: cidr('10.244.2.0/23'), min: 24, max: 24 }] },
          action: 'reject',
        },
        OWN,
      ],
      otherwise: 'reject',
    };

    await t.test(
      'an export policy changes paths for the peer that it names, and takes back what it rejects',
      async () => {
        // A change that has come through tells that nothing older is still on its way.
        await apply(own, desired('own', peers, { ...paths, [MARKER]: {} }));
        await changedUpTo(b, 0, MARKER);
        const added = b.events.findIndex((event) => names(event, MARKER)) + 1;
        await apply(own, desired('own', peers, paths));
        await changedUpTo(b, added, MARKER);
        const before = b.events.length;
        await apply(own, desired('own', peers, paths, { export: changed }));
        await has(a, { [P1]: 1 });
        const path = await until('the changed path', async () => {
          const [found] = await a.gobgp.ribOf([P1]);
          return found?.med === 50 && found;
        });
        assert.deepEqual(path.asPath, [64512, 64999, 64999, 64512]);
        assert.deepEqual([...path.communities].sort(), [65000 * 65536 + 1, 65535 * 65536].sort());
        assert.deepEqual(path.largeCommunities?.toSorted(), [
          [4200000000, 1, 2],
          [64512, 3, 4],
        ]);
        await has(b, { [P1]: 1, [P2]: 1 });
        assert.deepEqual((await b.gobgp.ribOf([P1]))[0]?.asPath, [64512]);
        await apply(own, desired('own', peers, { ...paths, [MARKER]: {} }, { export: changed }));
        const noticed = await changedUpTo(b, before, MARKER);
        // 3.x cannot withdraw from one peer alone: the others notice that prefix for a moment.
        assert.deepEqual(new Set(noticed), new Set(codec.resetWithdraws ? [MARKER] : [P2, MARKER]));
        await apply(own, desired('own', peers, paths, { export: changed }));
        await has(a, { [P1]: 1 });
        await has(b, { [P1]: 1, [P2]: 1 });
        const adjOut = await own.gobgp.listAdjacent(ip(ADDRESS.a), 'adj-out');
        assert.deepEqual(
          adjOut.map(({ prefix, med }) => ({ prefix, med })),
          [{ prefix: P1, med: 50 }],
        );
        assert.deepEqual(await flaps(), CALM);
      },
    );

    await t.test('the same policies again send nothing, and old ones are gone', async (t) => {
      await has(b, { [P1]: 1, [P2]: 1 });
      const from = { a: a.events.length, b: b.events.length };
      const report = await apply(own, desired('own', peers, paths, { export: changed }));
      assert.deepEqual([report.paths, report.peers.unchanged], [{ added: 0, removed: 0 }, 2]);
      await apply(own, desired('own', peers, { ...paths, [AFTER]: {} }, { export: changed }));
      // The marker of the test before may still be on its way.
      const told = [...(await changedUpTo(a, from.a, AFTER)), ...(await changedUpTo(b, from.b, AFTER))];
      assert.deepEqual(new Set(told.filter((prefix) => prefix !== MARKER)), new Set([AFTER]));
      const rpc = createRpc(join(routers.own.folder, 'gobgp.sock'));
      t.after(() => rpc.close());
      const names = await collect(rpc.stream(codec.listPolicies, undefined));
      assert.deepEqual(names.map((name) => name.replace(/[0-9a-f]{16}$/, '')).sort(), [
        'margay-export-',
        'margay-import-',
      ]);
      const sets = await collect(rpc.stream(codec.listDefinedSets, 'neighbor'));
      assert.deepEqual(sets.length, 1, 'equal sets are one');
      await apply(own, desired('own', peers, paths));
      await has(a, { [P1]: 1, [P2]: 1 });
      assert.deepEqual(await collect(rpc.stream(codec.listDefinedSets, 'neighbor')), []);
      assert.deepEqual(await flaps(), CALM);
    });

    await t.test('a change of policies that broke off is finished by the next apply()', async (t) => {
      const rpc = createRpc(join(routers.own.folder, 'gobgp.sock'));
      t.after(() => rpc.close());
      const dying: Rpc = {
        ...rpc,
        unary: (call, input, signal) => {
          if (call.method === codec.softReset.method) throw new BgpError('unreachable', 'the agent is killed here');
          return rpc.unary(call, input, signal);
        },
      };
      const wanted = desired('own', peers, paths, { export: changed });
      const context = {
        speak: async () => ({ rpc: dying, codec }),
        memory: new Map(),
        pathMemory: { last: undefined },
        optionMemoryBytes: undefined,
        isLocal: () => true,
      };
      assert.equal((await applyBgp(context, wanted, NEVER)).outcome, 'unreachable');
      await apply(own, wanted);
      await has(a, { [P1]: 1 });
      await has(b, { [P1]: 1, [P2]: 1 });
      await apply(own, desired('own', peers, paths));
      await has(a, { [P1]: 1, [P2]: 1 });
      assert.deepEqual(await flaps(), CALM);
    });

    await t.test('an import policy judges by prefix, community, AS path and next hop', async () => {
      const from = (low: number) => ({ communities: [65001 * 65536 + low] });
      await apply(
        a,
        desired('a', [{ to: 'own' }], { '10.1.0.0/24': from(1), '10.1.1.0/25': from(2), '10.1.2.0/24': from(3) }),
      );
      await apply(b, desired('b', [{ to: 'own' }], { '10.2.0.0/24': {} }));
      await has(own, { '10.1.0.0/24': 1, '10.1.1.0/25': 1, '10.1.2.0/24': 1, '10.2.0.0/24': 1 });
      const statements: RouteStatement[] = [
        {
          name: 'a wide prefix around a narrow one, of which 3.x looks at the narrow one alone',
          match: {
            prefixes: [
              { cidr: cidr('10.0.0.0/8'), min: 25, max: 25 },
              { cidr: cidr('10.1.1.0/24'), min: 24, max: 24 },
            ],
          },
          action: 'reject',
        },
        { name: 'last choice', match: { communities: [community(65001, 1)] }, set: { localPref: 0 }, action: 'accept' },
        { name: 'by AS path', match: { asPathPrefix: [64602] }, set: { localPref: 300 }, action: 'continue' },
        { name: 'nobody', match: { peers: [] }, action: 'reject' },
        { name: 'by next hop', match: { nextHops: [cidr('198.51.100.11/32')] }, action: 'reject' },
      ];
      await apply(own, desired('own', peers, paths, { import: { statements, otherwise: 'accept' } }));
      await has(own, { '10.1.0.0/24': 1, '10.2.0.0/24': 1 });
      const rib = new Map((await own.gobgp.rib()).map((path) => [path.prefix, path]));
      assert.deepEqual([...rib.keys()].sort(), ['10.1.0.0/24', '10.2.0.0/24', P1, P2]);
      await until('the preferences', async () => {
        const found = await own.gobgp.ribOf([cidr('10.1.0.0/24'), cidr('10.2.0.0/24')]);
        return JSON.stringify(found.map(({ localPref }) => localPref).sort()) === '[1,300]';
      });
      const received = await own.gobgp.listAdjacent(ip(ADDRESS.a), 'adj-in');
      assert.deepEqual(received.map(({ prefix }) => prefix).sort(), ['10.1.0.0/24', '10.1.1.0/25', '10.1.2.0/24']);
      await apply(own, desired('own', peers, paths));
      await has(own, { '10.1.0.0/24': 1, '10.1.1.0/25': 1, '10.1.2.0/24': 1, '10.2.0.0/24': 1 });
      assert.deepEqual(await flaps(), CALM);
    });

    await t.test('whatever events mean, reading their prefixes again keeps up with equal paths', async () => {
      const view = follow(own);
      const prefix = cidr('10.9.0.0/24');
      const steps: readonly { readonly of: 'a' | 'b'; readonly path?: object; readonly left: readonly string[] }[] = [
        { of: 'a', path: {}, left: [ADDRESS.a] },
        { of: 'b', path: {}, left: [ADDRESS.a, ADDRESS.b] },
        { of: 'b', path: { communities: [5] }, left: [ADDRESS.a, ADDRESS.b] },
        { of: 'a', left: [ADDRESS.b] },
        { of: 'b', left: [] },
      ];
      for (const { of, path, left } of steps) {
        const wanted = desired(of, [{ to: 'own' }], path === undefined ? {} : { [prefix]: path });
        await apply(of === 'a' ? a : b, wanted);
        await until(`${left.length} paths`, async () => {
          const found = (await view.read()).get(prefix) ?? [];
          return JSON.stringify(found.map(({ from }) => from).sort()) === JSON.stringify(left);
        });
      }
    });

    await t.test('what was passed on between peers is taken back, too', async () => {
      const learned = cidr('10.2.0.0/24');
      await apply(b, desired('b', [{ to: 'own' }], { [learned]: {} }));
      await apply(own, desired('own', peers, paths, { export: ACCEPT }));
      await has(a, { [P1]: 1, [P2]: 1, [learned]: 1 });
      const report = await apply(own, desired('own', peers, paths));
      // Nobody but the peer that sent it could withdraw it from one peer in 3.x.
      assert.deepEqual(report.peers.replaced, codec.resetWithdraws ? [] : [ADDRESS.a]);
      await has(a, { [P1]: 1, [P2]: 1 });
    });

    await t.test(`${MANY} routes come in, and whoever follows the events knows them all`, async () => {
      const view = follow(own);
      const many = Object.fromEntries(all.map((prefix) => [prefix, {}]));
      const report = await apply(a, desired('a', [{ to: 'own' }], many));
      assert.deepEqual(report.paths.added, MANY);
      await until(
        'all of them',
        async () => [...(await view.read()).keys()].filter((one) => many[one]).length === MANY,
      );
      const whole = await own.gobgp.rib();
      assert.deepEqual(new Set((await view.read()).keys()), new Set(whole.map(({ prefix }) => prefix)));
      assert.equal((await own.gobgp.ribOf(all.slice(0, 199))).length, 199);
    });

    await t.test('a limit of prefixes and a password hold; neither tells the secret', async () => {
      const secret = 'Swordfish 47';
      const signed = { password: secret, distance: { kind: 'secured', hops: 1 } } as const;
      const limited = [
        { to: 'a', maxPrefixes: 100 },
        { to: 'b', ...signed },
      ] as const;
      assert.deepEqual((await apply(own, desired('own', limited, paths))).peers.replaced, [ADDRESS.a, ADDRESS.b]);
      await apply(b, desired('b', [{ to: 'own', ...signed }], {}));
      await until('the session', async () => (await stateOf(own, 'b'))?.state === 'established');
      await until('the limit', async () => {
        const state = await stateOf(own, 'a');
        return state?.overLimit === true && state.state !== 'established';
      });
      assert.deepEqual((await apply(own, desired('own', limited, paths))).peers.unchanged, 2);
      const wrong = [limited[0], { ...limited[1], password: `${secret}!` }];
      const report = await apply(own, desired('own', wrong, paths));
      assert.deepEqual(report.peers.replaced, [ADDRESS.b], 'another password is another session');
      assert.ok(!JSON.stringify([report, await own.gobgp.peers()]).includes(secret));
    });

    await t.test('a killed gobgpd gets everything again, and waits for no peer that is away', async () => {
      const before = own.events.filter(({ kind }) => kind === 'up').length;
      await own.crash();
      own.restart();
      await own.seen('up', before + 1);
      const away = { to: 'c', bfd: BFD } as const;
      const many = Object.fromEntries(all.map((prefix) => [prefix, {}]));
      const present = [
        { to: 'a' },
        { to: 'b', password: 'wrong', ...(generation === '4.x' ? { bfd: BFD } : {}) },
      ] as const;
      const report = await own.gobgp.apply(desired('own', [...present, away], { ...paths, ...many }), NEVER);
      assert.deepEqual([report.outcome, report.started, report.paths.added], ['applied', true, MANY + 2]);
      assert.deepEqual(
        report.problems,
        generation === '4.x'
          ? []
          : ['Cannot watch peer "198.51.100.13" with BFD: this gobgpd 3.x knows none, expected 4.5 or later'],
      );
      assert.equal((await stateOf(own, 'c'))?.bfd, generation === '4.x' ? 'down' : undefined);
      await until('the routes at a peer', async () => (await a.gobgp.rib()).filter(({ local }) => !local).length >= 2);
      assert.notEqual((await stateOf(own, 'c'))?.state, 'established');
      await until('a wrong signature', async () => (await md5Failures(routers.own.netns)) > 0);
      assert.notEqual((await stateOf(own, 'b'))?.state, 'established');
      if (generation !== '4.x') return;
      await apply(b, desired('b', [{ to: 'own', password: 'wrong', bfd: BFD }], {}));
      await until('BFD', async () => (await stateOf(own, 'b'))?.bfd === 'up');
    });
  });
}

/** What a speaker believes of its table when it reads only what events name. */
function follow(speaker: Speaker) {
  const rib = createDirtyRib();
  let told = speaker.events.length;
  const view = new Map<Cidr, readonly RibPath[]>();
  rib.add(undefined);
  return {
    read: async (): Promise<ReadonlyMap<Cidr, readonly RibPath[]>> => {
      for (const event of speaker.events.slice(told)) if (event.kind === 'rib-changed') rib.add(event.prefixes);
      told = speaker.events.length;
      const part = await rib.read(speaker.gobgp, NEVER);
      if (part?.kind === 'all') {
        view.clear();
        for (const [prefix, paths] of Map.groupBy(part.paths, ({ prefix }) => prefix)) view.set(prefix, paths);
      } else if (part?.kind === 'part') {
        for (const [prefix, paths] of part.prefixes) {
          if (paths.length === 0) view.delete(prefix);
          else view.set(prefix, paths);
        }
      }
      return view;
    },
  };
}

const stateOf = async (speaker: Speaker, name: 'a' | 'b' | 'c') =>
  (await speaker.gobgp.peers()).find(({ description }) => description === `peer ${name}`);

/** The prefixes of all changes since `from`, up to one of `marker`. */
async function changedUpTo(speaker: Speaker, from: number, marker: Cidr): Promise<readonly Cidr[]> {
  const changed = () =>
    speaker.events.slice(from).flatMap((event) => (event.kind === 'rib-changed' ? [...(event.prefixes ?? [])] : []));
  await until(`a change of ${marker}`, () => changed().includes(marker));
  return changed();
}

const names = (event: BgpEvent, prefix: Cidr): boolean =>
  event.kind === 'rib-changed' && event.prefixes?.has(prefix) === true;

/** Learned prefixes and how many paths each has. */
function has(speaker: Speaker, expected: Readonly<Record<string, number>>) {
  const wanted = JSON.stringify(Object.entries(expected).sort());
  return until(`routes ${wanted}`, async () => {
    const found = Object.groupBy(
      (await speaker.gobgp.rib()).filter(({ local }) => !local),
      ({ prefix }) => prefix,
    );
    const counts = Object.entries(found).map(([prefix, paths = []]) => [prefix, paths.length] as const);
    return JSON.stringify(counts.sort()) === wanted;
  });
}

/** Segments that came without the key that the kernel expected, in a network namespace. */
async function md5Failures(netns: { readonly exec: (command: string, ...args: readonly string[]) => Promise<string> }) {
  const text = await netns.exec('cat', '/proc/net/netstat');
  const [names = '', values = ''] = text.split('\n').filter((line) => line.startsWith('TcpExt:'));
  const at = (name: string) => Number(values.split(' ')[names.split(' ').indexOf(name)] ?? 0);
  return at('TCPMD5NotFound') + at('TCPMD5Failure');
}
