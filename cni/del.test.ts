// GC beside an ADD: what it found lost may be somebody's by the time that its turn comes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Handle } from '../ipam/handle.ts';
import type { IfName } from '../lib/linux/if-name.ts';
import { createLog } from '../lib/log.ts';
import { ipamWorld, ipPool, podRequest } from '../test/support/ipam-world.ts';
import { collectGarbage } from './del.ts';
import { createKeyedLock } from './keyed-lock.ts';
import { createTurns } from './turns.ts';

test('GC leaves a link alone that an ADD under its name takes up meanwhile', async (t) => {
  const ipam = await (await ipamWorld(t, [ipPool('a', '10.244.0.0/24')])).open('node-1');
  const links = new Map<IfName, Handle>();
  for (const pod of ['mine', 'lost']) links.set(podRequest(pod).hostIfName, podRequest(pod).handle);
  const log = createLog('test');
  log.level = 'silent';
  const lock = createKeyedLock();
  const adding = await lock(`name ${podRequest('mine').hostIfName}`);
  const deps = {
    ipam,
    wiring: {
      wirePod: () => Promise.reject(new Error('Cannot wire: nobody asks for it here')),
      unwirePod: async ({ hostIfName }: { readonly hostIfName: IfName }) => {
        links.delete(hostIfName);
      },
      isWired: () => true,
      wired: () => [...links].map(([hostIfName, handle]) => ({ hostIfName, handle })),
      checkPod: () => [],
      close: async () => undefined,
    },
    endpoints: { attach: async () => undefined, detach: async () => undefined, check: () => [] },
    mtu: () => 1450,
    log,
  };
  const request = { kind: 'gc', network: 'margay', valid: new Set<Handle>() } as const;
  const collected = collectGarbage(deps, { lock, turn: createTurns(4) }, request);
  for (let n = 0; n < 20; n++) await setImmediate();
  await ipam.assign(podRequest('mine'));
  adding[Symbol.dispose]();
  await collected;
  assert.deepEqual([...links.keys()], [podRequest('mine').hostIfName]);
});
