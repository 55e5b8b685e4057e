import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import { type TestNetns, testNetns } from '../../test/support/netns.ts';
import { createDoomedLinks, DOOMED_GROUP, type DoomedLinks } from './doomed-links.ts';
import { createVeth, findLink, listLinks, setLink } from './links.ts';
import { inNetns, openNetns } from './netns.ts';
import { openRtnl, type Rtnl } from './rtnl.ts';

test('doom() deletes links in groups, away from the main thread', async (t) => {
  const { rtnl, doomed, pod } = await node(t);
  const indexes = veths(rtnl, pod, 40);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const begin = performance.now();
  await Promise.all(indexes.slice(1).map((index) => doomed.doom([index])));
  const ms = performance.now() - begin;
  delay.disable();
  t.diagnostic(`39 links in ${ms.toFixed(1)} ms, longest stall ${(delay.max / 1e6).toFixed(1)} ms`);
  assert.deepEqual(names(rtnl), ['lo', 'mgy0']);
  // Gone already, or never there.
  await doomed.doom(indexes.slice(1));
  await doomed.doom([]);
  assert.deepEqual(names(rtnl), ['lo', 'mgy0']);
});

test('doom() soon deletes links together, and at once when somebody cannot wait', async (t) => {
  const { rtnl, doomed, pod } = await node(t);
  const [first = 0, second = 0, third = 0] = veths(rtnl, pod, 4);
  const both = [doomed.doom([first], 'soon'), doomed.doom([second], 'soon')];
  assert.deepEqual(names(rtnl), ['lo', 'mgy0', 'mgy1', 'mgy2', 'mgy3']);
  await doomed.doom([third]);
  assert.deepEqual(names(rtnl), ['lo', 'mgy3']);
  await Promise.all(both);
});

test('doom() of more links than go at once deletes all of them, and sweep() those of every group', async (t) => {
  const { rtnl, doomed, pod } = await node(t);
  const [last = 0, ...indexes] = veths(rtnl, pod, 151);
  const going = Promise.all(indexes.map((index) => doomed.doom([index], 'soon')));
  const groups = new Map<number, number>();
  for (const { group } of listLinks(rtnl)) groups.set(group, (groups.get(group) ?? 0) + 1);
  groups.delete(0);
  assert.deepEqual([...groups.values()], [64, 64, 22]);
  await going;
  assert.deepEqual(names(rtnl), ['lo', 'mgy0']);
  setLink(rtnl, last, { group: Math.max(...groups.keys()) });
  await doomed.sweep();
  assert.deepEqual(names(rtnl), ['lo']);
});

test('sweep() deletes what an earlier process had marked, and nothing else', async (t) => {
  const { rtnl, doomed, pod } = await node(t);
  const [first = 0] = veths(rtnl, pod, 2);
  await doomed.sweep();
  assert.deepEqual(names(rtnl), ['lo', 'mgy0', 'mgy1']);
  setLink(rtnl, first, { group: DOOMED_GROUP });
  await doomed.sweep();
  assert.deepEqual(names(rtnl), ['lo', 'mgy1']);
});

async function node(t: TestContext): Promise<{ rtnl: Rtnl; doomed: DoomedLinks; pod: TestNetns }> {
  const here = await testNetns(t, 'node');
  const pod = await testNetns(t, 'pod');
  const { rtnl, doomed } = inNetns(here.path, () => {
    const opened = openRtnl();
    return { rtnl: opened, doomed: createDoomedLinks(opened) };
  });
  t.after(async () => {
    await doomed.close();
    rtnl.close();
  });
  return { rtnl, doomed, pod };
}

function veths(rtnl: Rtnl, pod: TestNetns, count: number): readonly number[] {
  const netnsFd = openNetns(pod.path);
  try {
    return Array.from({ length: count }, (_, n) => {
      createVeth(rtnl, { name: `mgy${n}`, mac: 'ee:ee:ee:ee:ee:ee', mtu: 1500, peer: { name: `eth${n}`, netnsFd } });
      return findLink(rtnl, { name: `mgy${n}` })?.index ?? assert.fail('no link');
    });
  } finally {
    closeSync(netnsFd);
  }
}

const names = (rtnl: Rtnl): readonly string[] => listLinks(rtnl).map(({ name }) => name);
