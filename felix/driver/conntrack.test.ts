// A sweep over flows that the conntrack program wrote.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openConntrack } from '../../lib/linux/conntrack.ts';
import type { Flow } from '../../lib/linux/conntrack-codec.ts';
import { inNetns } from '../../lib/linux/netns.ts';
import { testNetns } from '../../test/support/netns.ts';
import type { Generation } from '../render/policy/generation.ts';
import { MAX_LAG } from '../revoke-generation.ts';
import type { FlowJudgement } from '../revoke-judge.ts';
import { generationsInUse, sweepFlows } from './conntrack.ts';

async function setUp(t: TestContext, flows: readonly { readonly port: number; readonly mark: number }[]) {
  const netns = await testNetns(t);
  await netns.exec('nft', 'add table inet t; add chain inet t c { type filter hook input priority 0; ct state new; }');
  for (const { port, mark } of flows) {
    const words = `-I -t 600 -p udp -s 10.244.1.1 -d 10.244.1.2 --sport 9 --dport ${port} -m ${mark}`;
    await netns.exec('conntrack', ...words.split(' '));
  }
  const conntrack = inNetns(netns.path, openConntrack);
  t.after(conntrack.close);
  const left = async (): Promise<readonly string[]> =>
    (await netns.exec('conntrack', '-L'))
      .split('\n')
      .flatMap((line) => /dport=(\d+) .* mark=(\d+)/.exec(line)?.slice(1, 3).join(' ') ?? [])
      .sort();
  const insertTcp = (port: number, mark: number) => {
    const words = `-I -t 600 -p tcp --state ESTABLISHED -s 10.244.1.1 -d 10.244.1.2 --sport 9 --dport ${port} -m ${mark}`;
    return netns.exec('conntrack', ...words.split(' '));
  };
  return { conntrack, left, insertTcp };
}

const byPort = ({ original }: Flow): FlowJudgement =>
  original.ports?.dst === 1 ? 'denied' : original.ports?.dst === 2 ? 'orphaned' : 'allowed';

test('a sweep deletes what is denied or orphaned, and nothing else', async (t) => {
  const { conntrack, left } = await setUp(
    t,
    [1, 2, 3, 4].map((port) => ({ port, mark: port })),
  );
  const options = {
    conntrack,
    judge: () => byPort,
    generation: () => 1 as Generation,
    sliceMs: 1000,
    stopped: () => false,
  };
  assert.deepEqual(await sweepFlows(options), { seen: 4, denied: 1, held: 0, orphaned: 1 });
  assert.deepEqual(await left(), ['3 3', '4 4']);
});

test('a sweep marks a denied connection instead, and takes the mark when it is allowed again', async (t) => {
  const { conntrack, left, insertTcp } = await setUp(t, []);
  await insertTcp(1, 0x10007);
  let judgement: FlowJudgement = 'denied';
  const options = {
    conntrack,
    judge: () => () => judgement,
    generation: () => 1 as Generation,
    sliceMs: 1000,
    stopped: () => false,
  };
  assert.deepEqual(await sweepFlows(options), { seen: 1, denied: 1, held: 1, orphaned: 0 });
  assert.deepEqual(await left(), [`1 ${0xffff_0007}`]);
  assert.deepEqual(await sweepFlows(options), { seen: 1, denied: 0, held: 1, orphaned: 0 });
  judgement = 'allowed';
  assert.deepEqual(await sweepFlows(options), { seen: 1, denied: 0, held: 0, orphaned: 0 });
  assert.deepEqual(await left(), ['1 7']);
});

test('a sweep takes the mark of what is far behind, before its number comes around', async (t) => {
  const current = 100;
  const { conntrack, left } = await setUp(t, [
    { port: 5, mark: current * 0x10000 + 1 },
    { port: 6, mark: (current - 1) * 0x10000 + 2 },
    { port: 7, mark: (0xfffe + current - MAX_LAG - 1) * 0x10000 + 3 },
    { port: 8, mark: 4 },
  ]);
  assert.deepEqual(
    [...(await generationsInUse(conntrack))].sort((a, b) => a - b),
    [0, 99, 100, 0xfffe + current - MAX_LAG - 1],
  );
  const result = await sweepFlows({
    conntrack,
    judge: () => byPort,
    generation: () => current as Generation,
    sliceMs: 1000,
    stopped: () => false,
  });
  assert.equal(result?.seen, 4);
  assert.deepEqual(await left(), [`5 ${current * 0x10000 + 1}`, `6 ${(current - 1) * 0x10000 + 2}`, '7 3', '8 4']);
});
