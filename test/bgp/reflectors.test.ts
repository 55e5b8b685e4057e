// Two nodes that only know a route reflector, and a router that hears of their blocks from it: real gobgpds and BIRD, with
// what BGPPeer objects make of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { desiredBgp } from '../../bgp/model/desired.ts';
import { bgpConfigurationSchema } from '../../datastore/resources/bgp-configuration.ts';
import { type BgpPeer, bgpPeerSchema } from '../../datastore/resources/bgp-peer.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { bgpSegment, startSpeaker } from '../support/bgp-segment.ts';
import { ADDRESS, BLOCK, cidr, NEVER, nodeObject, POOL } from '../support/bgp-world.ts';
import { startBird } from '../support/tor-router.ts';

const REFLECTOR = '198.51.100.9';
const SIX = { n1: 'fd00:10:245::1', n2: 'fd00:10:245::2', rr: 'fd00:10:245::9' } as const;
const V6 = 'projectcalico.org/IPv6Address';
const BLOCK6 = cidr('fd00:10:244::100/120');
const WAIT = { timeoutMs: 60_000 };

const object = (kind: string, name: string, spec: object) => ({
  apiVersion: 'projectcalico.org/v3',
  kind,
  metadata: { name },
  spec,
});
const peer = (name: string, spec: object): BgpPeer => bgpPeerSchema.parse(object('BGPPeer', name, spec));

test('a route reflector passes on blocks with their own next hops, those of IPv6 over sessions of IPv4', async (t) => {
  const routers = await bgpSegment(t, { n1: ADDRESS.n1, n2: ADDRESS.n2, rr: REFLECTOR, tor: ADDRESS.tor });
  for (const [name, address] of Object.entries(SIX)) {
    const { netns } = routers[name as keyof typeof SIX];
    await netns.exec('ip', 'address', 'add', `${address}/64`, 'dev', 'eth0', 'nodad');
  }
  const reflector = nodeObject('rr', REFLECTOR, {
    [V6]: SIX.rr,
    'projectcalico.org/RouteReflectorClusterID': '244.0.0.1',
  });
  const nodes = [
    nodeObject('n1', ADDRESS.n1, { [V6]: SIX.n1 }),
    nodeObject('n2', ADDRESS.n2, { [V6]: SIX.n2 }),
    { ...reflector, metadata: { ...reflector.metadata, labels: { 'route-reflector': 'true' } } },
  ];
  const configuration = bgpConfigurationSchema.parse(
    object('BGPConfiguration', 'default', { nodeToNodeMeshEnabled: false }),
  );
  const peers = [
    peer('reflectors', { nodeSelector: 'all()', peerSelector: "route-reflector == 'true'" }),
    peer('tor', { node: 'rr', peerIP: ADDRESS.tor, asNumber: 64600, nextHopMode: 'Keep' }),
  ];
  const pools = [
    { ...object('IPPool', 'pods', {}), apiVersion: 'projectcalico.org/v3', kind: 'IPPool', spec: { cidr: POOL } },
  ] as const;
  startBird(routers.tor, { asn: 64600, nodeAsn: 64512, nodes: [REFLECTOR] });
  const speakers = {
    n1: startSpeaker(t, routers.n1),
    n2: startSpeaker(t, routers.n2),
    rr: startSpeaker(t, routers.rr),
  };
  for (const name of ['rr', 'n1', 'n2'] as const) {
    const blocks = { n1: [BLOCK.n1, BLOCK6], n2: [BLOCK.n2], rr: [] }[name];
    const { desired, problems } = desiredBgp({ node: name, nodes, configuration, peers, blocks, pools });
    assert.deepEqual(problems, []);
    assert.ok(desired);
    await speakers[name].seen('up');
    assert.deepEqual((await speakers[name].gobgp.apply(desired, NEVER)).problems, []);
  }
  const learnedBy = async (name: 'n1' | 'n2') =>
    (await speakers[name].gobgp.rib())
      .filter(({ local }) => !local)
      .map(({ prefix, nextHop, from }) => `${prefix} via ${nextHop} from ${from}`)
      .sort()
      .join();
  const becomes = async (read: () => Promise<string>, expected: string): Promise<void> => {
    await waitFor(expected, async () => (await read()) === expected, WAIT).catch(async () =>
      assert.equal(await read(), expected),
    );
  };
  // The reflector passes on no default route of the router's, nor anything else that is not of its own AS.
  await becomes(
    () => learnedBy('n2'),
    `${BLOCK.n1} via ${ADDRESS.n1} from ${REFLECTOR},${BLOCK6} via ${SIX.n1} from ${REFLECTOR}`,
  );
  await becomes(() => learnedBy('n1'), `${BLOCK.n2} via ${ADDRESS.n2} from ${REFLECTOR}`);

  const atRouter = async (): Promise<string> => {
    const text = await routers.tor.netns.exec('ip', '-j', 'route', 'show', 'proto', 'bird');
    const routes = JSON.parse(text) as readonly { readonly dst: string; readonly gateway?: string }[];
    return routes
      .filter(({ gateway }) => gateway !== undefined)
      .map(({ dst, gateway }) => `${dst} via ${gateway}`)
      .sort()
      .join();
  };
  await becomes(atRouter, `${BLOCK.n1} via ${ADDRESS.n1},${BLOCK.n2} via ${ADDRESS.n2}`);
});
