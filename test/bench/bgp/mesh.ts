// A full mesh from nothing: a gobgpd per node, each in its namespace, until every node has the block of every other.
import { desiredBgp } from '../../../bgp/model/desired.ts';
import { waitFor } from '../../../lib/wait-for.ts';
import { openSegment, type Speaker, startSpeaker } from '../../support/bgp-segment.ts';
import { cidr, NEVER, nodeObject } from '../../support/bgp-world.ts';
import { resultOf } from '../results.ts';
import type { Bench } from '../types.ts';
import { nodeAddress } from './plan.ts';

export const mesh: Bench = {
  name: 'mesh',
  run: async ({ scope, scale }) => {
    const size = scale === 'full' ? 50 : 4;
    const segment = await openSegment(scope);
    const numbers = Array.from({ length: size }, (_, index) => index + 1);
    const nodes = numbers.map((number) => nodeObject(`n${number}`, nodeAddress(number)));
    const speakers: Speaker[] = [];
    for (const number of numbers) {
      const router = await segment.attach(`n${number}`, nodeAddress(number));
      speakers.push(startSpeaker(scope, router, undefined, 'error'));
    }
    await Promise.all(speakers.map(({ seen }) => seen('up')));
    const began = performance.now();
    await Promise.all(
      speakers.map(async ({ gobgp }, index) => {
        const blocks = [cidr(`10.244.${index + 1}.0/24`)];
        const { desired } = desiredBgp({ node: `n${index + 1}`, nodes, peers: [], blocks, pools: [] });
        const { problems } = desired === undefined ? { problems: ['no BGP'] } : await gobgp.apply(desired, NEVER);
        if (problems.length > 0) throw new Error(problems.join());
      }),
    );
    const driven = performance.now();
    // A node that has all blocks is not asked again.
    await Promise.all(
      speakers.map(({ gobgp }, index) =>
        waitFor(`all blocks at node ${index + 1}`, async () => (await gobgp.rib()).length === size, {
          timeoutMs: 180_000,
          everyMs: 500,
        }),
      ),
    );
    const converged = performance.now();
    const flaps = (await Promise.all(speakers.map(({ gobgp }) => gobgp.peers()))).flat().map((peer) => peer.flaps);
    const sessions = (size * (size - 1)) / 2;
    return [
      resultOf({
        name: `mesh of ${size} nodes: all peers given to gobgpd`,
        unit: 's',
        ours: [(driven - began) / 1000],
      }),
      resultOf({
        name: `mesh of ${size} nodes, ${sessions} sessions: every block everywhere`,
        unit: 's',
        ours: [(converged - began) / 1000],
      }),
      resultOf({
        name: `mesh of ${size} nodes: sessions lost on the way`,
        unit: 'sessions',
        ours: [flaps.reduce((sum, flap) => sum + flap, 0)],
        goal: { text: '0', met: ({ ours }) => ours.p99 === 0 },
      }),
    ];
  },
};
