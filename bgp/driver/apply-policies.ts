// The import and the export policy. The name of one in force carries the hash of its content: equal name, equal content.
// A new one is written completely beside the old, then assigned, which is atomic, then the old one is removed. (The call
// that replaces all policies at once is of no use: it lets everything through until the new names are assigned, and 4.x
// loses the length of next hop prefixes on its way.)
//
// A policy acts on what is received and sent from then on; a soft reset makes the established peers catch up. That of
// 3.x does not withdraw what is no longer accepted. What those peers were to have before is therefore compared with what
// they are to have now: own prefixes that are missing are withdrawn from everybody and advertised again, which those who
// may have them notice for a millisecond; when a learned one is missing, the session starts anew.
import type { Cidr } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import type { RoutePolicy } from '../model/route-policy.ts';
import { affectedPeers } from './affected-peers.ts';
import type { ApplyRun } from './apply.ts';
import { listPeers } from './apply-peers.ts';
import { type CompiledPolicy, compilePolicy, type DefinedSetKind, type PolicyDirection } from './compile-policy.ts';
import { shortHash } from './note.ts';
import { BgpError } from './rpc.ts';
import { type Advertised, advertisedTo, NOTHING, withheldSince } from './withheld.ts';

/**
 * What was set last, and under which name: when that is what is in force, the peers that a new policy treats as before
 * are left alone. Without it all are asked to catch up, which costs time and nothing else.
 */
export type PolicyMemory = Map<PolicyDirection, { readonly name: string; readonly policy: RoutePolicy }>;

export type PoliciesOutcome = {
  /** Both are in force. */
  readonly safe: boolean;
  /** Own prefixes to be withdrawn and advertised again. */
  readonly again: ReadonlySet<Cidr>;
  /** Peers whose session must start anew. */
  readonly restart: ReadonlySet<Ip>;
  /** To be called when all that has been done. */
  readonly finish: () => Promise<void>;
};

/** A policy without statements: while it is there, a change of policies is not finished. */
const PENDING: CompiledPolicy = { name: 'margay-pending', sets: [], statements: [] };
const SET_KINDS: readonly DefinedSetKind[] = ['prefix', 'neighbor', 'as-path', 'community', 'large-community'];

export async function applyPolicies(run: ApplyRun): Promise<PoliciesOutcome> {
  const { desired, attempt } = run;
  const again = new Set<Cidr>();
  const restart = new Set<Ip>();
  const compiled = compileBoth(run);
  // Found: an earlier run broke off, nobody knows how far the peers have caught up.
  let pending: 'found' | 'made' | 'none' = 'none';
  const apply = (direction: PolicyDirection) => async (): Promise<void> => {
    const policy = compiled[direction];
    const assigned = await assignedPolicies(run, direction);
    const wanted = { name: policy.name, policy: desired.policies[direction] };
    const remembered = run.memory.get(direction);
    run.memory.set(direction, wanted);
    if (assigned === policy.name && pending !== 'found') return;
    const known = assigned === remembered?.name && pending !== 'found' ? remembered.policy : undefined;
    const peers = affectedPeers(known, wanted.policy, await establishedPeers(run));
    const before = direction === 'import' ? NOTHING : await sentTo(run, peers, pending);
    if (pending === 'none') await write(run, PENDING);
    if (pending === 'none') pending = 'made';
    await write(run, policy);
    await run.rpc.unary(run.codec.setAssignment, { direction, policies: [policy.name] }, run.signal);
    for (const address of peers) {
      // It may have gone meanwhile; then there is nothing to correct.
      await run.rpc.unary(run.codec.softReset, { address, direction }, run.signal).catch(unlessRefused);
    }
    const withheld = await withheldSince(run, before);
    for (const { address, prefix, local } of withheld) {
      if (local) again.add(prefix);
      else restart.add(address);
    }
  };
  const safe =
    (await attempt('Cannot list policies', async () => {
      if ((await listPolicies(run, PENDING.name)).length > 0) pending = 'found';
    })) &&
    (await attempt('Cannot set import policy', apply('import'))) &&
    (await attempt('Cannot set export policy', apply('export')));
  // Peers that are wanted no longer are not restarted but removed.
  for (const address of restart) if (!desired.peers.has(address)) restart.delete(address);
  const finish = async (): Promise<void> => {
    if (pending !== 'none') await attempt('Cannot remove old policies', () => removeOthers(run, compiled));
  };
  return { safe, again, restart, finish };
}

/** Of an earlier run that broke off, only that peers may have all that originates here. */
async function sentTo(run: ApplyRun, peers: readonly Ip[], pending: 'found' | 'made' | 'none'): Promise<Advertised> {
  if (pending !== 'found' || run.codec.resetWithdraws) return advertisedTo(run, peers);
  const own = new Map([...run.desired.paths.keys()].map((prefix) => [prefix, true]));
  return new Map(peers.map((peer) => [peer, own]));
}

function compileBoth({ desired, codec }: ApplyRun): Readonly<Record<PolicyDirection, CompiledPolicy>> {
  const compile = (direction: PolicyDirection, policy: RoutePolicy) => {
    const content = compilePolicy({ name: '', direction, policy });
    // The generation is in the hash, so that one name stands for one way of writing a policy.
    const hash = shortHash({ content, generation: codec.generation });
    return compilePolicy({ name: `margay-${direction}-${hash}`, direction, policy });
  };
  const { policies } = desired;
  return { import: compile('import', policies.import), export: compile('export', policies.export) };
}

/** Their names, as one text. */
async function assignedPolicies({ rpc, codec, signal }: ApplyRun, direction: PolicyDirection): Promise<string> {
  for await (const { policies } of rpc.stream(codec.listAssignment, direction, { signal })) return policies.join();
  return '';
}

async function write({ rpc, codec, signal }: ApplyRun, policy: CompiledPolicy): Promise<void> {
  // What is there already was left by an attempt that broke off; adding equal members to a set changes nothing.
  for (const set of policy.sets) await rpc.unary(codec.addDefinedSet, set, signal);
  await rpc.unary(codec.addPolicy, policy, signal).catch((error: unknown) => {
    if (!(error instanceof BgpError) || !/duplicat|exist|already/.test(error.message)) throw error;
  });
}

async function removeOthers(run: ApplyRun, keep: Readonly<Record<PolicyDirection, CompiledPolicy>>): Promise<void> {
  const { rpc, codec, signal } = run;
  const policies = new Set([keep.import.name, keep.export.name]);
  const sets = new Set([...keep.import.sets, ...keep.export.sets].map(({ name }) => name));
  const others = (await listPolicies(run)).filter((name) => !policies.has(name) && name !== PENDING.name);
  for (const name of others) await rpc.unary(codec.deletePolicy, name, signal);
  for (const kind of SET_KINDS) {
    for (const name of await collect(rpc.stream(codec.listDefinedSets, kind, { signal }))) {
      if (!sets.has(name)) await rpc.unary(codec.deleteDefinedSet, { kind, name }, signal);
    }
  }
  await rpc.unary(codec.deletePolicy, PENDING.name, signal);
}

/** Absent `name`: all. */
const listPolicies = ({ rpc, codec, signal }: ApplyRun, name?: string): Promise<readonly string[]> =>
  collect(rpc.stream(codec.listPolicies, name, { signal }));

async function establishedPeers(run: ApplyRun): Promise<readonly Ip[]> {
  return [...(await listPeers(run)).values()]
    .filter(({ state }) => state.state === 'established')
    .map(({ state }) => state.address);
}

async function collect<T>(stream: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const one of stream) all.push(one);
  return all;
}

function unlessRefused(error: unknown): void {
  if (!(error instanceof BgpError) || error.code === 'unreachable') throw error;
}
