// When tracked flows are judged, and what an address waits for before it is used again.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parseCidr } from '../lib/cidr.ts';
import { parseIp } from '../lib/ip.ts';
import { openConntrack } from '../lib/linux/conntrack.ts';
import { inNetns } from '../lib/linux/netns.ts';
import { createLog } from '../lib/log.ts';
import { unwrap } from '../lib/result.ts';
import { waitFor } from '../lib/wait-for.ts';
import { testNetns } from '../test/support/netns.ts';
import { FIRST_GENERATION } from './render/policy/generation.ts';
import { createRevoker, type Revoker } from './revoker.ts';

const POD = unwrap(parseIp('10.244.1.1'));
const OTHER = unwrap(parseIp('10.244.1.2'));

type Fixture = {
  readonly revoker: Revoker;
  /** Writes a flow from a pod that is gone. */
  readonly insert: (port: number) => Promise<unknown>;
  readonly count: () => Promise<number>;
};

async function setUp(t: TestContext): Promise<Fixture> {
  const netns = await testNetns(t);
  await netns.exec('nft', 'add table inet t; add chain inet t c { type filter hook input priority 0; ct state new; }');
  const conntrack = inNetns(netns.path, openConntrack);
  const log = createLog('test');
  log.level = 'silent';
  const blocks = [unwrap(parseCidr('10.244.1.0/24'))];
  const revoker = createRevoker({
    conntrack,
    world: () => ({ objects: new Map(), endpoints: [], blocks, localAddresses: new Set() }),
    generation: () => FIRST_GENERATION,
    log,
  });
  t.after(async () => {
    await revoker.close();
    conntrack.close();
  });
  const words = `-I -t 600 -p udp -s ${POD} -d 203.0.113.1 --dport 53 --sport`.split(' ');
  return {
    revoker,
    insert: (port) => netns.exec('conntrack', ...words, String(port)),
    count: async () => Number(await netns.exec('conntrack', '-C')),
  };
}

test('after a start every address waits for the first reading', async (t) => {
  const { revoker, insert, count } = await setUp(t);
  await insert(1);
  await revoker.clean([POD]);
  assert.equal(await count(), 0);
  assert.equal(revoker.view().last?.orphaned, 1);
});

test('an address waits while it is not known to be clean, and another one does not', async (t) => {
  const { revoker, insert, count } = await setUp(t);
  await revoker.clean([POD]);
  await insert(2);
  const before = revoker.view().last;
  revoker.addressesGone([POD]);
  await revoker.clean([OTHER]);
  assert.equal(revoker.view().last, before, 'nothing was read for it');
  await revoker.clean([POD]);
  assert.equal(await count(), 0);
});

test('the flows of a pod that went are taken without anybody asking', async (t) => {
  const { revoker, insert, count } = await setUp(t);
  await revoker.clean([POD]);
  await insert(3);
  revoker.addressesGone([POD]);
  await waitFor('the flow to go', async () => (await count()) === 0, { timeoutMs: 20_000 });
});

test('a change during a reading is followed by another one', async (t) => {
  const { revoker } = await setUp(t);
  revoker.revoke();
  await waitFor('a reading', () => revoker.view().last);
  const first = revoker.view().last;
  revoker.revoke();
  revoker.revoke();
  await waitFor('another one', () => revoker.view().last !== first);
  assert.equal(revoker.view().judgedGeneration, FIRST_GENERATION);
});

test('who waits is told when the agent ends', async (t) => {
  const { revoker } = await setUp(t);
  const waiting = assert.rejects(revoker.clean([POD]), /Cannot clear the flows of 10\.244\.1\.1: the agent ends/);
  await revoker.close();
  await waiting;
});
