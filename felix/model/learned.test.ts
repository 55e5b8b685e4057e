import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCidr } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import { createLearned, type Learned, type LearnedRoutes } from './learned.ts';

const routes = (entries: Readonly<Record<string, string>>): LearnedRoutes =>
  new Map(Object.entries(entries).map(([dst, via]) => [unwrap(parseCidr(dst)), [unwrap(parseIp(via))]]));

const say = (learned: Learned, dst: string, via: string): void =>
  learned.fresh(unwrap(parseCidr(dst)), [unwrap(parseIp(via))]);

test('adopted routes stay until BGP has settled', () => {
  const learned = createLearned();
  learned.adopt(routes({ '10.244.1.0/24': '198.51.100.11', '10.244.2.0/24': '198.51.100.12' }));
  say(learned, '10.244.1.0/24', '198.51.100.21');
  assert.deepEqual(
    learned.all(),
    routes({ '10.244.1.0/24': '198.51.100.21', '10.244.2.0/24': '198.51.100.12' }),
    'a fresh path replaces the stale one, the other stays',
  );
  learned.settle();
  assert.deepEqual(learned.all(), routes({ '10.244.1.0/24': '198.51.100.21' }));
});

test('a lost daemon takes no route with it, and a withdrawal after settling does', () => {
  const learned = createLearned();
  say(learned, '10.244.1.0/24', '198.51.100.11');
  learned.settle();
  learned.lost();
  assert.equal(learned.settled(), false);
  assert.deepEqual(learned.all(), routes({ '10.244.1.0/24': '198.51.100.11' }));
  learned.settle();
  assert.deepEqual(learned.all(), routes({}));
});
