// BFD between gobgpd and FRR: a way that is cut is noticed on both sides long before the hold time of 90 s is over. With a
// gobgpd that knows none the session comes up without, and a problem says so.
import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { bgpSegment, type Router, type Speaker, startSpeaker } from '../support/bgp-segment.ts';
import { ADDRESS, BLOCK, desiredOf, NEVER, peerObject } from '../support/bgp-world.ts';
import { newestGobgpd } from '../support/go-program.ts';
import { spawnFrr } from '../support/tor-router.ts';

/** A session that BFD resets while both begin idles for half a minute. */
const COMES_UP = { timeoutMs: 100_000 };
/** Well under the hold time: nothing but BFD can be as soon. */
const WITHIN_HOLD_TIME = { timeoutMs: 45_000 };

test('BFD with FRR', async (t) => {
  const newest = await newestGobgpd();
  const routers = await bgpSegment(t, ADDRESS);
  await startFrrWithBfd(routers.tor);
  const peers = [
    peerObject('tor', {
      peerIP: ADDRESS.tor,
      asNumber: 64600,
      bfd: { receiveInterval: '300ms', transmitInterval: '300ms' },
    }),
  ];
  const ofTor = async ({ gobgp }: Speaker) => (await gobgp.peers()).find(({ address }) => address === ADDRESS.tor);

  await t.test('a gobgpd without BFD has a session without', async () => {
    const old = startSpeaker(t, routers.n2);
    await old.seen('up');
    const { problems } = await old.gobgp.apply(desiredOf('n2', { peers }), NEVER);
    assert.deepEqual(problems, [
      `Cannot watch peer "${ADDRESS.tor}" with BFD: this gobgpd 3.x knows none, expected 4.5 or later`,
    ]);
    await waitFor('the session', async () => (await ofTor(old))?.state === 'established', COMES_UP);
    assert.equal((await ofTor(old))?.bfd, undefined);
    await waitFor('its block', async () => (await blocksAt(routers.tor)).includes(BLOCK.n2), COMES_UP);
  });

  if (newest.kind === 'absent') {
    t.diagnostic(newest.why);
    return;
  }
  await t.test('a cut is noticed on both sides before the hold time', async () => {
    const own = startSpeaker(t, routers.n1, newest.program);
    await own.seen('up');
    const desired = desiredOf('n1', { peers });
    assert.equal(desired.peers.get(routers.tor.address)?.gracefulRestart, undefined);
    assert.deepEqual((await own.gobgp.apply(desired, NEVER)).problems, []);
    const isUp = async (): Promise<boolean> => {
      const peer = await ofTor(own);
      return peer?.state === 'established' && peer.bfd === 'up' && (await blocksAt(routers.tor)).includes(BLOCK.n1);
    };
    await waitFor('session and BFD', isUp, COMES_UP);
    await routers.n1.netns.exec('ip', 'link', 'set', 'eth0', 'down');
    await waitFor(
      'the router to drop the block',
      async () => !(await blocksAt(routers.tor)).includes(BLOCK.n1),
      WITHIN_HOLD_TIME,
    );
    const isDown = async (): Promise<boolean> => {
      const peer = await ofTor(own);
      return peer?.state !== 'established' && peer?.bfd === 'down';
    };
    await waitFor('the node to drop the session', isDown, WITHIN_HOLD_TIME);
    // The one that nobody watches with BFD stands.
    assert.ok((await blocksAt(routers.tor)).includes(BLOCK.n2));
  });
});

async function startFrrWithBfd(tor: Router): Promise<void> {
  const neighbors = [ADDRESS.n1, ADDRESS.n2].map(
    (node) => ` neighbor ${node} remote-as 64512
 neighbor ${node} timers connect 2
 neighbor ${node} timers 30 90
 neighbor ${node} bfd 3 300 300
`,
  );
  await spawnFrr(
    tor,
    `router bgp 64600
 bgp router-id ${ADDRESS.tor}
 no bgp ebgp-requires-policy
${neighbors.join('')}`,
  );
  const file = (name: string): string => join(tor.folder, name);
  const log = openSync(file('bfdd.out'), 'a');
  const args = ['-i', file('bfdd.pid'), '-z', file('zserv.api'), '--vty_socket', file('vty'), '-A', '127.0.0.1'];
  tor.netns.spawn('/usr/lib/frr/bfdd', [...args, '-f', '/dev/null', '--bfdctl', file('bfdd.sock')], {
    stdio: ['ignore', log, log],
  });
}

async function blocksAt({ netns }: Router): Promise<readonly string[]> {
  const routes = JSON.parse(await netns.exec('ip', '-j', 'route', 'show', 'proto', 'bgp')) as readonly {
    readonly dst: string;
  }[];
  return routes.map(({ dst }) => dst);
}
