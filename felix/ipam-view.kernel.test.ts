// The release of leaked addresses while the wall clock jumps.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Ipam } from '../ipam/ipam.ts';
import { inNetns } from '../lib/linux/netns.ts';
import { openRtnl } from '../lib/linux/rtnl.ts';
import { ipamWorld, ipPool, podRequest } from '../test/support/ipam-world.ts';
import { testNetns } from '../test/support/netns.ts';
import { withAges } from './agent-ipam.ts';
import { createRouteDriver } from './driver/routes.ts';
import { releaseLeak } from './ipam-view.ts';

const HOUR_MS = 3_600_000;

/** Asks to release the pod's address; the answer is what was released, or why not. */
async function leaksOf(t: TestContext) {
  const netns = await testNetns(t);
  const rtnl = inNetns(netns.path, openRtnl);
  t.after(() => rtnl.close());
  const clock = { monotonicMs: 0, wallOffsetMs: 0 };
  const open = (opened: Ipam) => {
    const ipam = withAges(opened, () => clock.monotonicMs);
    const release = async (pod: string): Promise<unknown> => {
      const { handle } = podRequest(pod);
      const { sequence = 0 } = ipam.find(handle) ?? {};
      const nowMs = Date.now() + clock.wallOffsetMs;
      const parts = { node: 'node-1', ipam, rtnl, routes: createRouteDriver(rtnl), detach: async () => {}, nowMs };
      const answer = await releaseLeak(parts, { handle, sequence });
      return answer.ok ? answer.value : answer.error;
    };
    return { ipam, release };
  };
  const ip = (words: string) => netns.exec('ip', ...words.split(' '));
  return { clock, open, ip };
}

test('releaseLeak() tells the age of an assignment by a clock that does not jump', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24')]);
  const { clock, open } = await leaksOf(t);
  const { ipam, release } = open(await world.open('node-1'));
  const young = 'Cannot release "margay.web.eth0": it is younger than 60 s, try again later';
  await ipam.assign(podRequest('web'));
  clock.wallOffsetMs = HOUR_MS;
  assert.equal(await release('web'), young, 'the wall clock jumped ahead');
  clock.monotonicMs = 59_999;
  assert.equal(await release('web'), young);
  await ipam.assign(podRequest('web'));
  clock.monotonicMs = 60_000;
  assert.equal(await release('web'), young, 'the runtime asked again for the same attachment');
  clock.monotonicMs = 120_000;
  clock.wallOffsetMs = -HOUR_MS;
  assert.deepEqual(await release('web'), { released: ['10.244.0.0'] }, 'the wall clock jumped back');
});

test('releaseLeak() takes the wall clock for assignments of an earlier process', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24')]);
  const { clock, open } = await leaksOf(t);
  const first = await world.open('node-1');
  await first.assign(podRequest('web'));
  first.close();
  const { release } = open(await world.open('node-1'));
  assert.match(String(await release('web')), /it is younger than 60 s/);
  clock.wallOffsetMs = 60_001;
  assert.deepEqual(await release('web'), { released: ['10.244.0.0'] });
});

test('releaseLeak() does not wait for a wall clock that was set back before the agent started anew', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24')]);
  const { clock, open } = await leaksOf(t);
  const first = await world.open('node-1');
  await first.assign(podRequest('web'));
  first.close();
  const { release } = open(await world.open('node-1'));
  clock.wallOffsetMs = -HOUR_MS;
  assert.deepEqual(await release('web'), { released: ['10.244.0.0'] });
});

test('releaseLeak() leaves an address alone that a link without a signature has', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24')]);
  const { clock, open, ip } = await leaksOf(t);
  const { ipam, release } = open(await world.open('node-1'));
  await ipam.assign(podRequest('web'));
  clock.monotonicMs = 60_000;
  await ip('link add mgy0 type veth peer name eth0');
  await ip('link set mgy0 up');
  await ip('route add 10.244.0.0/32 dev mgy0 proto 177 metric 1060');
  assert.equal(await release('web'), 'Cannot release "margay.web.eth0": link "mgy0" is there, expected none');
  await ip('link del mgy0');
  assert.deepEqual(await release('web'), { released: ['10.244.0.0'] });
});
