import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BgpPeer } from '../../datastore/resources/bgp-peer.ts';
import type { Node } from '../../datastore/resources/node.ts';
import type { Asn } from '../../datastore/resources/scalars.ts';
import { type Cidr, parseCidr } from '../../lib/cidr.ts';
import { unwrap } from '../../lib/result.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { bgpSegment, type Speaker, startSpeaker } from '../../test/support/bgp-segment.ts';
import { desiredBgp } from '../model/desired.ts';
import { learnedRoutes } from '../model/learned.ts';
import type { DesiredBgp } from '../model/types.ts';

const cidr = (text: string): Cidr => unwrap(parseCidr(text));
const NEVER = new AbortController().signal;
const WAIT = { timeoutMs: 40_000 };
const POOL = cidr('10.244.0.0/16');
const BLOCK = { n1: cidr('10.244.1.0/24'), n2: cidr('10.244.2.0/24') };
const ADDRESS = { n1: '198.51.100.1', n2: '198.51.100.2', tor: '198.51.100.254' } as const;

test('two nodes and a router exchange blocks through gobgpd', async (t) => {
  const routers = await bgpSegment(t, ADDRESS);
  const n1 = startSpeaker(t, routers.n1);
  const n2 = startSpeaker(t, routers.n2);
  const tor = startSpeaker(t, routers.tor);
  await Promise.all([n1, n2, tor].map((speaker) => speaker.seen('up')));
  const began = performance.now();
  const reports = await Promise.all([
    n1.gobgp.apply(nodeState('n1'), NEVER),
    n2.gobgp.apply(nodeState('n2'), NEVER),
    tor.gobgp.apply(torState(), NEVER),
  ]);
  assert.deepEqual(
    reports.map(({ outcome, problems, started }) => ({ outcome, problems, started })),
    Array(3).fill({ outcome: 'applied', problems: [], started: true }),
  );
  await established(n1, 2);
  await established(n2, 2);
  t.diagnostic(`all established after ${Math.round(performance.now() - began)} ms`);

  await t.test('each node learns the other block and nothing else', async () => {
    await learns(n1, { [BLOCK.n2]: [ADDRESS.n2] });
    await learns(n2, { [BLOCK.n1]: [ADDRESS.n1] });
    const { rejected } = await learned(n1);
    assert.deepEqual(rejected, [{ prefix: '0.0.0.0/0', from: ADDRESS.tor, why: 'it is a default route' }]);
  });
});

function nodeState(own: 'n1' | 'n2', change: Partial<Parameters<typeof desiredBgp>[0]> = {}): DesiredBgp {
  const { desired, problems } = desiredBgp({
    node: own,
    nodes: [node('n1'), node('n2')],
    peers: [TOR],
    blocks: [BLOCK[own]],
    pools: [],
    ...change,
  });
  assert.deepEqual(problems, []);
  assert.ok(desired);
  return desired;
}

const node = (name: 'n1' | 'n2'): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: { addresses: [{ type: 'InternalIP', address: ADDRESS[name] }] },
});

const TOR: BgpPeer = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'BGPPeer',
  metadata: { name: 'tor' },
  spec: { peerIP: ADDRESS.tor, asNumber: 64600 as Asn },
};

/** The router is one of ours with other peers and an AS of its own; it originates a default route. */
function torState(): DesiredBgp {
  const { desired } = desiredBgp({
    node: 'tor',
    nodes: [
      { ...node('n1'), metadata: { name: 'tor', annotations: { 'projectcalico.org/IPv4Address': ADDRESS.tor } } },
    ],
    configuration: {
      apiVersion: 'projectcalico.org/v3',
      kind: 'BGPConfiguration',
      metadata: { name: 'default' },
      spec: { asNumber: 64600 as Asn },
    },
    peers: (['n1', 'n2'] as const).map((name) => ({
      ...TOR,
      metadata: { name },
      spec: { peerIP: ADDRESS[name], asNumber: 64512 as Asn },
    })),
    blocks: [cidr('0.0.0.0/0')],
    pools: [],
  });
  assert.ok(desired);
  return desired;
}

const established = (speaker: Speaker, count: number) =>
  waitFor(
    `${count} established sessions`,
    async () => (await speaker.gobgp.peers()).filter(({ state }) => state === 'established').length === count,
    WAIT,
  );

async function learned(speaker: Speaker) {
  return learnedRoutes({
    paths: await speaker.gobgp.rib(),
    pools: [POOL],
    ownBlocks: [],
    nodeAddresses: [],
  });
}

function learns(speaker: Speaker, expected: Readonly<Record<string, readonly string[]>>) {
  const text = JSON.stringify(expected);
  return waitFor(
    `routes ${text}`,
    async () => {
      const routes = [...(await learned(speaker)).routes].map(([prefix, { nextHops }]) => [prefix, nextHops]);
      return JSON.stringify(Object.fromEntries(routes)) === text;
    },
    WAIT,
  );
}
