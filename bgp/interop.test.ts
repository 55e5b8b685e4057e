import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../lib/wait-for.ts';
import { bgpSegment, type Router, type Speaker, startSpeaker } from '../test/support/bgp-segment.ts';
import { ADDRESS, BLOCK, desiredOf, NEVER } from '../test/support/bgp-world.ts';
import { startBird, startFrr } from '../test/support/tor-router.ts';

const WAIT = { timeoutMs: 60_000 };
const TORS = [
  { name: 'BIRD', start: startBird, protocol: 'bird' },
  { name: 'FRR', start: startFrr, protocol: 'bgp' },
];

for (const { name, start, protocol } of TORS) {
  test(`${name} as top-of-rack router puts the blocks into its kernel`, async (t) => {
    const routers = await bgpSegment(t, ADDRESS);
    const n1 = startSpeaker(t, routers.n1);
    const n2 = startSpeaker(t, routers.n2);
    const began = performance.now();
    await start(routers.tor, { asn: 64600, nodeAsn: 64512, nodes: [ADDRESS.n1, ADDRESS.n2] });
    for (const [speaker, node] of [[n1, 'n1'] as const, [n2, 'n2'] as const]) {
      await speaker.seen('up');
      assert.deepEqual((await speaker.gobgp.apply(desiredOf(node), NEVER)).problems, []);
    }
    const routes = () => kernelRoutes(routers.tor, protocol);
    await waitFor('both blocks at the router', async () => (await routes()).length === 2, WAIT);
    t.diagnostic(`${name} has both blocks after ${Math.round(performance.now() - began)} ms`);

    // Each block by its owner alone, also when the nodes know each other's: none passes on what it learned.
    const expected = [`${BLOCK.n1} via ${ADDRESS.n1} dev eth0`, `${BLOCK.n2} via ${ADDRESS.n2} dev eth0`];
    assert.deepEqual(await routes(), expected);
    await waitFor('the block of the other node', async () => (await prefixes(n1)).includes(BLOCK.n2), WAIT);
    await waitFor('all to be sent', async () => (await n1.gobgp.peers()).every((peer) => peer.endOfRib), WAIT);
    assert.deepEqual(await routes(), expected);
    const defaults = async () => (await n1.gobgp.rib()).filter(({ prefix }) => prefix === '0.0.0.0/0');
    await waitFor('the default route of the router', async () => (await defaults()).length > 0, WAIT);
    const leaked = await defaults();
    assert.deepEqual(
      leaked.map(({ from, ebgp, asPath }) => ({ from, ebgp, asPath })),
      [{ from: ADDRESS.tor, ebgp: true, asPath: [64600] }],
    );

    // Graceful restart: the router goes on using the routes of a gobgpd that crashed.
    await n1.crash();
    await n1.seen('down');
    assert.deepEqual(await routes(), expected);
    n1.restart();
    await n1.seen('up', 2);
    assert.equal((await n1.gobgp.apply(desiredOf('n1'), NEVER)).outcome, 'applied');
    const back = async () =>
      (await n1.gobgp.peers()).some(({ address, state }) => address === ADDRESS.tor && state === 'established');
    await waitFor('the session with the router', back, WAIT);
    await waitFor('the routes', async () => (await routes()).join() === expected.join(), WAIT);

    await n2.gobgp.apply(desiredOf('n2', { blocks: [] }), NEVER);
    await waitFor('the withdrawal', async () => (await routes()).join() === expected[0], WAIT);
  });
}

const prefixes = async ({ gobgp }: Speaker): Promise<readonly string[]> =>
  (await gobgp.rib()).map(({ prefix }) => prefix);

/** `PREFIX via GATEWAY dev DEVICE`, sorted. */
async function kernelRoutes({ netns }: Router, protocol: string): Promise<readonly string[]> {
  const text = await netns.exec('ip', '-j', 'route', 'show', 'proto', protocol);
  const routes = JSON.parse(text) as readonly {
    readonly dst: string;
    readonly gateway: string;
    readonly dev: string;
  }[];
  return routes.map(({ dst, gateway, dev }) => `${dst} via ${gateway} dev ${dev}`).sort();
}
