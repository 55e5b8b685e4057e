import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { cidr } from '../../test/support/bgp-world.ts';
import type { BgpEvent } from '../model/types.ts';
import { coalesce } from './watch.ts';

const prefixes = (count: number) => Array.from({ length: count }, (_, index) => cidr(`10.1.${index}.0/24`));

test('changes of one burst are one event, which names its prefixes unless one listing is cheaper', async () => {
  const told: BgpEvent[] = [];
  const changed = coalesce((event) => told.push(event));
  const burst = async (count: number): Promise<BgpEvent | undefined> => {
    const before = told.length;
    for (const prefix of prefixes(count)) changed.add({ kind: 'rib-changed', prefixes: [prefix] });
    await waitFor('the event', () => told.length > before);
    return told.at(-1);
  };
  assert.deepEqual(await burst(1), { kind: 'rib-changed', prefixes: new Set(prefixes(1)) });
  assert.deepEqual(await burst(199), { kind: 'rib-changed', prefixes: new Set(prefixes(199)) });
  assert.deepEqual(await burst(200), { kind: 'rib-changed' });
  assert.deepEqual(await burst(2), { kind: 'rib-changed', prefixes: new Set(prefixes(2)) });
  assert.equal(told.length, 4);
  changed.stop();
});
