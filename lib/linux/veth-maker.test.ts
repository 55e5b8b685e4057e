import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { type TestNetns, testNetns } from '../../test/support/netns.ts';
import { KernelError } from './kernel-error.ts';
import { listLinks, type VethSpec } from './links.ts';
import { inNetns, openNetns } from './netns.ts';
import { openRtnl, type Rtnl } from './rtnl.ts';
import { createVethMaker, type VethMaker } from './veth-maker.ts';

test('create() makes pairs that are asked for together, and tells each its own', async (t) => {
  const { rtnl, maker, spec } = await node(t);
  const names = Array.from({ length: 20 }, (_, n) => `mgy${n}`);
  const made = await Promise.all(names.map((name) => maker.create(spec(name))));
  assert.deepEqual(
    made.map(({ name }) => name),
    names,
  );
  const there = new Map(listLinks(rtnl).map((link) => [link.name, link]));
  for (const link of made) assert.deepEqual(link, there.get(link.name));
  assert.equal(new Set(made.map(({ peerIndex }) => peerIndex)).size, names.length);
});

test('create() of one that is refused hides no other', async (t) => {
  const { rtnl, maker, spec } = await node(t);
  assert.equal((await maker.create(spec('mgy1'))).name, 'mgy1');
  const outcomes = await Promise.allSettled(['mgy0', 'mgy1', 'mgy2', 'mgy2'].map((name) => maker.create(spec(name))));
  assert.deepEqual(
    outcomes.map((each) =>
      each.status === 'fulfilled' ? each.value.name : each.reason instanceof KernelError && each.reason.code,
    ),
    ['mgy0', 'EEXIST', 'mgy2', 'EEXIST'],
  );
  assert.deepEqual(
    listLinks(rtnl).map(({ name }) => name),
    ['lo', 'mgy1', 'mgy0', 'mgy2'],
  );
});

async function node(t: TestContext): Promise<{ rtnl: Rtnl; maker: VethMaker; spec: (name: string) => VethSpec }> {
  const here = await testNetns(t, 'node');
  const pod: TestNetns = await testNetns(t, 'pod');
  const { rtnl, maker } = inNetns(here.path, () => {
    const opened = openRtnl();
    return { rtnl: opened, maker: createVethMaker(opened) };
  });
  const netnsFd = openNetns(pod.path);
  t.after(async () => {
    await maker.close();
    rtnl.close();
    closeSync(netnsFd);
  });
  const spec = (name: string): VethSpec => ({
    name,
    mac: 'ee:ee:ee:ee:ee:ee',
    mtu: 1400,
    peer: { name: `eth${name.slice(3)}`, netnsFd },
  });
  return { rtnl, maker, spec };
}
