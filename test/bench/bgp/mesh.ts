// A full mesh from nothing: a gobgpd per node, until every node has the block of every other. All are in one namespace, by
// an address each: the neighbours of 50 namespaces are more than the machine's ARP table holds.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { desiredBgp } from '../../../bgp/model/desired.ts';
import { waitFor } from '../../../lib/wait-for.ts';
import { type Speaker, startSpeaker } from '../../support/bgp-segment.ts';
import { cidr, NEVER, nodeObject } from '../../support/bgp-world.ts';
import { testNetns } from '../../support/netns.ts';
import { resultOf } from '../results.ts';
import type { Bench } from '../types.ts';
import { nodeAddress } from './plan.ts';

export const mesh: Bench = {
  name: 'mesh',
  run: async ({ scope, scale }) => {
    const size = scale === 'full' ? 50 : 4;
    const netns = await testNetns(scope, 'mesh');
    const root = mkdtempSync(join(tmpdir(), 'mgy-bgp-'));
    scope.after(() => rmSync(root, { recursive: true }));
    const numbers = Array.from({ length: size }, (_, index) => index + 1);
    const nodes = numbers.map((number) => nodeObject(`n${number}`, nodeAddress(number)));
    const speakers: Speaker[] = [];
    for (const number of numbers) {
      const address = nodeAddress(number);
      await netns.exec('ip', 'address', 'add', `${address}/32`, 'dev', 'lo');
      const folder = mkdtempSync(join(root, `n${number}-`));
      speakers.push(startSpeaker(scope, { name: `n${number}`, address, netns, folder }, undefined, 'error'));
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
    await converge(speakers);
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

/** A node that has all blocks is not asked again. @throws Error that says what is missing */
async function converge(speakers: readonly Speaker[]): Promise<void> {
  const missing = new Set(speakers);
  const ask = async (speaker: Speaker): Promise<void> => {
    const prefixes = new Set((await speaker.gobgp.rib()).map(({ prefix }) => prefix));
    if (prefixes.size === speakers.length) missing.delete(speaker);
  };
  const all = async (): Promise<boolean> => {
    for (const speaker of missing) await ask(speaker);
    return missing.size === 0;
  };
  try {
    await waitFor('all blocks everywhere', all, { timeoutMs: 180_000, everyMs: 250 });
  } catch (cause) {
    const [one] = missing;
    const down = (await one?.gobgp.peers())?.filter(({ state }) => state !== 'established') ?? [];
    const states = down.map(({ description, state }) => `${description} ${state}`).join(', ');
    throw new Error(`Cannot go on: ${missing.size} nodes lack blocks; peers of the first that are down: ${states}`, {
      cause,
    });
  }
}
