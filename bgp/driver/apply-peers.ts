// Sessions: listed, compared, and only those touched that differ. A peer is never updated in place: gobgpd 3.10 resets
// the session even for an update that changes nothing.
import type { Ip } from '../../lib/ip.ts';
import type { ApplyReport, ApplyRun } from './apply.ts';
import type { ListedPeer } from './codec.ts';
import { inChunks } from './in-chunks.ts';
import { noteOf } from './note.ts';
import { keptKeys, planPeers } from './plan.ts';

/** `restart`: sessions to be started anew although nothing of them changed. */
export async function applyPeers(run: ApplyRun, restart: ReadonlySet<Ip>): Promise<ApplyReport['peers']> {
  const { rpc, codec, desired, attempt, signal } = run;
  const listed = await listPeers(run);
  const actual = new Map(
    [...listed].map(([address, peer]) => [address, restart.has(address) ? { ...peer, note: '' } : peer]),
  );
  const plan = planPeers(actual, desired.peers, noteOf);
  // They stay as they are, so that the next apply() finds them again.
  const kept = keptKeys(actual, desired.peers);
  for (const address of kept)
    run.needRestart(
      `Cannot take the password off peer "${address}" of a running gobgpd: it goes on listening with it; restart it`,
    );
  const removed: Ip[] = [];
  const added: Ip[] = [];
  const replaced: Ip[] = [];
  for (const address of plan.remove) {
    const done = await attempt(`Cannot remove peer "${address}"`, () => rpc.unary(codec.deletePeer, address, signal));
    if (done) removed.push(address);
  }
  for (const peer of plan.replace) {
    if (kept.has(peer.address)) continue;
    const done = await attempt(`Cannot change peer "${peer.address}"`, async () => {
      await rpc.unary(codec.deletePeer, peer.address, signal);
      await rpc.unary(codec.addPeer, { peer, note: noteOf(peer) }, signal);
    });
    if (done) replaced.push(peer.address);
  }
  await inChunks(plan.add, async (peer) => {
    const done = await attempt(`Cannot add peer "${peer.address}"`, () =>
      rpc.unary(codec.addPeer, { peer, note: noteOf(peer) }, signal),
    );
    if (done) added.push(peer.address);
    return done;
  });
  await warnOfMissingBfd(run, added.length + replaced.length === 0 ? listed : undefined);
  return { added, replaced, removed, unchanged: plan.unchanged };
}

export async function listPeers({ rpc, codec, signal }: ApplyRun): Promise<ReadonlyMap<Ip, ListedPeer>> {
  const found = new Map<Ip, ListedPeer>();
  for await (const peer of rpc.stream(codec.listPeer(0), undefined, { signal })) found.set(peer.state.address, peer);
  return found;
}

// An older gobgpd takes such a peer without a word, and only listing it shows that it knows nothing of BFD.
async function warnOfMissingBfd(run: ApplyRun, listed: ReadonlyMap<Ip, ListedPeer> | undefined): Promise<void> {
  const wanted = [...run.desired.peers.values()].filter(({ bfd }) => bfd !== undefined);
  if (wanted.length === 0) return;
  const actual = listed ?? (await listPeers(run));
  for (const { address } of wanted) {
    if (actual.get(address)?.hasBfd === false)
      run.warn(
        `Cannot watch peer "${address}" with BFD: this gobgpd ${run.codec.generation} knows none, expected 4.5 or later`,
      );
  }
}
