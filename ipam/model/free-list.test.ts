import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cidrRange, parseCidr } from '../../lib/cidr.ts';
import { type Ip, ipFromBigInt, parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import { createFreeList } from './free-list.ts';

const anything = (): boolean => true;
const allBut =
  (...avoid: readonly Ip[]) =>
  (ip: Ip): boolean =>
    !avoid.includes(ip);
const ip = (text: string): Ip => unwrap(parseIp(text));
const ips = (...texts: string[]): Ip[] => texts.map(ip);
const block = unwrap(parseCidr('10.244.3.0/30'));
const [a, b, c, d] = ['10.244.3.0', '10.244.3.1', '10.244.3.2', '10.244.3.3'].map(ip) as [Ip, Ip, Ip, Ip];

const rows = [
  { name: 'the first address of a new block', given: { used: [], released: [] }, expected: a },
  { name: 'the next one never used', given: { used: [a], released: [] }, expected: b },
  { name: 'never-used ones before released ones', given: { used: [a], released: [b] }, expected: c },
  { name: 'released ones, oldest first', given: { used: [b, c], released: [d, a] }, expected: d },
  { name: 'the last address of the block', given: { used: [a, b, c], released: [] }, expected: d },
  { name: 'nothing of a full block', given: { used: [a, b, c, d], released: [] }, expected: undefined },
  { name: 'what is not avoided', given: { used: [], released: [a], avoid: [b] }, expected: c },
  {
    name: 'a released one rather than an avoided one',
    given: { used: [c], released: [a], avoid: [b, d] },
    expected: a,
  },
  { name: 'nothing when all is avoided', given: { used: [c], released: [a], avoid: [a, b, d] }, expected: undefined },
];

for (const { name, given, expected } of rows) {
  test(`createFreeList() offers ${name}`, () => {
    const list = createFreeList(block, given);
    assert.equal(list.next(allBut(...(given.avoid ?? []))), expected);
    assert.deepEqual(list.counts(), { size: 4, used: given.used.length, released: given.released.length });
  });
}

test('createFreeList() offers an avoided address again once it is not avoided', () => {
  const list = createFreeList(block, { used: [], released: [] });
  const first = list.next(allBut(a));
  assert.equal(first, b);
  list.take(b);
  assert.equal(list.next(anything), a);
});

test('createFreeList() refuses what is not free and what is not used', () => {
  const list = createFreeList(block, { used: [a], released: [] });
  assert.equal(list.isFree(a), false);
  assert.equal(list.isFree(ip('10.244.4.0')), false);
  assert.throws(() => list.take(a), /is not free there/);
  assert.throws(() => list.take(ip('10.244.4.0')), /is not free there/);
  assert.throws(() => list.giveBack(b), /is not used/);
});

test('createFreeList() does what a plain queue does', () => {
  const blocks = ['10.244.3.0/28', 'fd00:10:244::40/124'].map((text) => unwrap(parseCidr(text)));
  const step = fc.record({ kind: fc.constantFrom('next', 'exact', 'back'), at: fc.nat(15) });
  fc.assert(
    fc.property(fc.constantFrom(...blocks), fc.array(step, { maxLength: 200 }), (cidr, steps) => {
      const { family, first, last } = cidrRange(cidr);
      let queue: Ip[] = [];
      for (let value = first; value <= last; value++) queue.push(ipFromBigInt(value, family));
      const all = queue;
      const used: Ip[] = [];
      const list = createFreeList(cidr, { used: [], released: [] });
      for (const { kind, at } of steps) {
        const chosen =
          kind === 'next' ? list.next(anything) : kind === 'exact' ? all[at] : used[at % (used.length || 1)];
        if (kind === 'next') assert.equal(chosen, queue[0]);
        if (chosen === undefined) continue;
        assert.equal(list.isFree(chosen), queue.includes(chosen));
        if (kind === 'back') {
          list.giveBack(chosen);
          used.splice(used.indexOf(chosen), 1);
          queue.push(chosen);
        } else if (queue.includes(chosen)) {
          list.take(chosen);
          used.push(chosen);
          queue = queue.filter((other) => other !== chosen);
        }
        assert.equal(list.counts().size - list.counts().used, queue.length);
      }
    }),
  );
});

test('createFreeList() goes on where its history ended', () => {
  const list = createFreeList(block, { used: ips('10.244.3.1'), released: ips('10.244.3.3', '10.244.3.0') });
  const order: (Ip | undefined)[] = [];
  for (let i = 0; i < 4; i++) {
    const next = list.next(anything);
    order.push(next);
    if (next !== undefined) list.take(next);
  }
  assert.deepEqual(order, [c, d, a, undefined]);
});
