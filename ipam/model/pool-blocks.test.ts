import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type IpPool, ipPoolSchema } from '../../datastore/resources/ip-pool.ts';
import { cidrContainsCidr, cidrOverlaps, parseCidr } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import { blockAround, blockCount, unclaimedBlocks } from './pool-blocks.ts';

const pool = (cidr: string, blockSize?: number): IpPool =>
  ipPoolSchema.parse({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'p' },
    spec: { cidr, ...(blockSize === undefined ? {} : { blockSize }) },
  });
const cidrs = (...texts: string[]) => texts.map((text) => unwrap(parseCidr(text)));

const rows = [
  { name: 'all blocks of the default size', given: { pool: pool('10.244.0.0/22'), taken: [] }, expected: 4 },
  { name: 'one block of a pool that is one block', given: { pool: pool('10.244.0.0/30', 30), taken: [] }, expected: 1 },
  {
    name: 'nothing of a pool whose blocks are taken',
    given: { pool: pool('10.244.0.0/23'), taken: ['10.244.0.0/24', '10.244.1.0/24'] },
    expected: 0,
  },
  {
    name: 'no block that a smaller one lies in',
    given: { pool: pool('10.244.0.0/22'), taken: ['10.244.1.64/26'] },
    expected: 3,
  },
  {
    name: 'no block inside a larger one',
    given: { pool: pool('10.244.0.0/22', 26), taken: ['10.244.0.0/23'] },
    expected: 8,
  },
  {
    name: 'blocks although others of another family or pool are taken',
    given: { pool: pool('10.244.0.0/23'), taken: ['10.245.0.0/24', 'fd00:10:244::/120'] },
    expected: 2,
  },
  { name: 'IPv6 blocks', given: { pool: pool('fd00:10:244::/118'), taken: ['fd00:10:244::100/120'] }, expected: 3 },
];

for (const { name, given, expected } of rows) {
  test(`unclaimedBlocks() yields ${name}`, () => {
    const taken = cidrs(...given.taken);
    const blocks = [...unclaimedBlocks(given.pool, 'node-a', taken)];
    assert.equal(blocks.length, expected);
    assert.equal(new Set(blocks).size, expected);
    for (const block of blocks) {
      assert.ok(cidrContainsCidr(given.pool.spec.cidr, block), block);
      assert.ok(!taken.some((other) => cidrOverlaps(other, block)), block);
    }
  });
}

test('unclaimedBlocks() of a huge pool costs no more than what is read', () => {
  const before = process.cpuUsage();
  assert.equal(blockCount(pool('fd00::/8', 128)), 1n << 120n);
  for (let i = 0; i < 50; i++) unclaimedBlocks(pool('fd00::/8', 128), `node-${i}`, cidrs('fd00::/16')).next();
  // Not by the clock, which goes on while others have the processor.
  assert.ok(process.cpuUsage(before).user < 1_000_000);
});

test('unclaimedBlocks() starts each node elsewhere, and a node always at the same place', () => {
  const first = (node: string) => unclaimedBlocks(pool('10.244.0.0/16'), node, []).next().value;
  const firsts = Array.from({ length: 50 }, (_, i) => first(`node-${i}`));
  assert.ok(new Set(firsts).size > 35, `${new Set(firsts).size} different`);
  assert.deepEqual(
    Array.from({ length: 50 }, (_, i) => first(`node-${i}`)),
    firsts,
  );
});

test('unclaimedBlocks() walks through what is left, whatever is taken', () => {
  const all = [...unclaimedBlocks(pool('10.244.0.0/20'), 'n', [])];
  fc.assert(
    fc.property(fc.subarray(all), fc.string(), (taken, node) => {
      const left = [...unclaimedBlocks(pool('10.244.0.0/20'), node, taken)];
      assert.deepEqual([...left].sort(), all.filter((block) => !taken.includes(block)).sort());
    }),
  );
});

test('blockAround() is the block of an address', () => {
  assert.equal(blockAround(pool('10.244.0.0/16'), unwrap(parseIp('10.244.7.9'))), '10.244.7.0/24');
});
