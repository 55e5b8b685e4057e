// The live index against the one that is built beforehand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ipFromBigInt } from '../ip.ts';
import { type Element, type NftKey, type NftObject, type NftSet, nftKey, type SetName } from './ast.ts';
import { createLiveSetIndex } from './walk-live-sets.ts';
import { createSetIndex } from './walk-sets.ts';

const hashed: NftSet = { kind: 'set', name: 'h' as SetName, keyTypes: ['ipv4_addr', 'inet_proto'], interval: false };
const ranges: NftSet = { kind: 'set', name: 'r' as SetName, keyTypes: ['ipv4_addr'], interval: true };
const wide: NftSet = { ...ranges, name: 'w' as SetName, keyTypes: ['ipv4_addr', 'inet_service'] };

const address = (low: number) => ipFromBigInt(0x0af40000n + BigInt(low), 4);
const mapOf = (objects: readonly NftObject[]): ReadonlyMap<NftKey, NftObject> =>
  new Map(objects.map((object) => [nftKey(object), object]));

/** Disjoint ranges from sorted distinct numbers, taken in pairs. */
const runs = fc.uniqueArray(fc.nat(500), { maxLength: 20 }).map((numbers) => {
  const sorted = numbers.sort((a, b) => a - b);
  return sorted.flatMap((first, i) => {
    const last = sorted[i + 1];
    return i % 2 === 0 && last !== undefined ? [{ from: first, to: last }] : [];
  });
});

test('createLiveSetIndex() finds what createSetIndex() finds', () => {
  fc.assert(
    fc.property(
      runs,
      fc.array(fc.nat(500)),
      fc.array(fc.tuple(fc.nat(500), fc.constantFrom('tcp', 'udp')), { maxLength: 30 }),
      (intervals, asked, members) => {
        const elements: Element[] = [
          ...intervals.map(
            ({ from, to }): Element => ({
              kind: 'element',
              set: ranges.name,
              key: [{ from: address(from), to: address(to) }],
            }),
          ),
          ...intervals.map(
            ({ from, to }): Element => ({
              kind: 'element',
              set: wide.name,
              key: [address(from), { from, to }],
            }),
          ),
          ...members.map(
            ([low, protocol]): Element => ({
              kind: 'element',
              set: hashed.name,
              key: [address(low), protocol],
            }),
          ),
        ];
        const objects = mapOf([hashed, ranges, wide, ...elements]);
        const live = createLiveSetIndex(objects);
        const built = createSetIndex(objects);
        for (const low of asked) {
          for (const [set, key] of [
            [ranges.name, [address(low)]],
            [wide.name, [address(low), low]],
            [hashed.name, [address(low), 'tcp']],
          ] as const) {
            assert.deepEqual(live.find(set, key), built.find(set, key));
          }
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('createLiveSetIndex() refuses a set that is not there', () => {
  assert.throws(() => createLiveSetIndex(new Map()).find('x' as SetName, [1]), /Cannot look up set "x": is absent/);
});
