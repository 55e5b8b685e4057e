// One session over IPv6 for both families: each path comes with a next hop of its own family, or the routes are useless.
import assert from 'node:assert/strict';
import { openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { desiredBgp } from '../../bgp/model/desired.ts';
import { bgpPeerSchema } from '../../datastore/resources/bgp-peer.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { bgpSegment, type Router, startSpeaker } from '../support/bgp-segment.ts';
import { ADDRESS, BLOCK, cidr, NEVER, nodeObject } from '../support/bgp-world.ts';

const NODE = 'fd00:10:245::1';
const TOR = 'fd00:10:245::fe';
const WAIT = { timeoutMs: 60_000 };

test('a session over IPv6 carries blocks of both families to a router, and its ranges back', async (t) => {
  const routers = await bgpSegment(t, { n1: ADDRESS.n1, tor: ADDRESS.tor });
  await routers.n1.netns.exec('ip', 'address', 'add', `${NODE}/64`, 'dev', 'eth0', 'nodad');
  await routers.tor.netns.exec('ip', 'address', 'add', `${TOR}/64`, 'dev', 'eth0', 'nodad');
  startBird(routers.tor);
  const n1 = startSpeaker(t, routers.n1);
  const peer = { peerIP: TOR, asNumber: 64600 };
  const { desired, problems } = desiredBgp({
    node: 'n1',
    nodes: [nodeObject('n1', ADDRESS.n1, { 'projectcalico.org/IPv6Address': NODE })],
    peers: [
      bgpPeerSchema.parse({
        apiVersion: 'projectcalico.org/v3',
        kind: 'BGPPeer',
        metadata: { name: 'tor' },
        spec: peer,
      }),
    ],
    blocks: [BLOCK.n1, cidr('fd00:10:244::100/120')],
    pools: [],
  });
  assert.deepEqual(problems, []);
  assert.ok(desired);
  await n1.seen('up');
  assert.deepEqual((await n1.gobgp.apply(desired, NEVER)).problems, []);

  const learned = async (): Promise<readonly string[]> =>
    (await n1.gobgp.rib()).filter(({ local }) => !local).map(({ prefix, nextHop }) => `${prefix} via ${nextHop}`);
  await waitFor('the ranges of the router', async () => (await learned()).length === 2, WAIT);
  assert.deepEqual(await learned(), [`10.244.200.0/24 via ${ADDRESS.tor}`, `fd00:10:244:ff::/64 via ${TOR}`]);
  const installed = async (): Promise<readonly string[]> => [
    ...(await kernelRoutes(routers.tor, '-4')),
    ...(await kernelRoutes(routers.tor, '-6')),
  ];
  await waitFor("the blocks in the router's kernel", async () => (await installed()).length === 2, WAIT);
  assert.deepEqual(await installed(), [`${BLOCK.n1} via ${ADDRESS.n1}`, `fd00:10:244::100/120 via ${NODE}`]);
});

async function kernelRoutes({ netns }: Router, family: '-4' | '-6'): Promise<readonly string[]> {
  const text = await netns.exec('ip', family, '-j', 'route', 'show', 'proto', 'bird');
  const routes = JSON.parse(text) as readonly { readonly dst: string; readonly gateway: string }[];
  return routes.map(({ dst, gateway }) => `${dst} via ${gateway}`);
}

function startBird({ netns, folder }: Router): void {
  const config = join(folder, 'bird.conf');
  writeFileSync(
    config,
    `router id ${ADDRESS.tor};
protocol device { scan time 2; }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol kernel { ipv6 { import none; export where source = RTS_BGP; }; }
protocol static { ipv4; route 10.244.200.0/24 blackhole; }
protocol static { ipv6; route fd00:10:244:ff::/64 blackhole; }
protocol bgp node {
  local ${TOR} as 64600;
  neighbor ${NODE} as 64512;
  connect delay time 1;
  connect retry time 2;
  ipv4 { import all; export where source = RTS_STATIC; next hop address ${ADDRESS.tor}; };
  ipv6 { import all; export where source = RTS_STATIC; };
}
`,
  );
  const log = openSync(join(folder, 'bird.out'), 'a');
  const args = ['-f', '-c', config, '-s', join(folder, 'bird.ctl'), '-P', join(folder, 'bird.pid')];
  netns.spawn('bird', args, { stdio: ['ignore', log, log] });
}
