// The accumulated outputs of the policy model, as a reader of its changes sees them.
import assert from 'node:assert/strict';
import type { Change } from '../../lib/change.ts';
import type { IfName } from '../../lib/linux/if-name.ts';
import type {
  ChainKey,
  EndpointPolicy,
  PolicyChain,
  PolicyChanges,
  Profile,
  ProfileKey,
  SetChange,
  SetKey,
} from '../../policy/model/types.ts';

export type Outputs = {
  readonly sets: Map<SetKey, Set<string>>;
  readonly chains: Map<ChainKey, PolicyChain>;
  readonly profiles: Map<ProfileKey, Profile>;
  readonly endpoints: Map<IfName, EndpointPolicy>;
};

export const noOutputs = (): Outputs => ({
  sets: new Map(),
  chains: new Map(),
  profiles: new Map(),
  endpoints: new Map(),
});

/** Applies changes, and fails on one that adds what is there, or removes or repeats what is not. */
export function accumulate(outputs: Outputs, changes: PolicyChanges): void {
  for (const change of changes.sets) accumulateSet(outputs.sets, change);
  accumulateKeyed(outputs.chains, changes.chains);
  accumulateKeyed(outputs.profiles, changes.profiles);
  accumulateKeyed(outputs.endpoints, changes.endpoints);
}

function accumulateSet(sets: Outputs['sets'], change: SetChange): void {
  const members = sets.get(change.key) ?? new Set<string>();
  for (const text of change.removed.map(memberText))
    assert.ok(members.delete(text), `${text} was not in ${change.key}`);
  for (const text of change.added.map(memberText)) {
    assert.ok(!members.has(text), `${text} was in ${change.key} already`);
    members.add(text);
  }
  if (change.exists) sets.set(change.key, members);
  else {
    assert.ok(sets.delete(change.key), `${change.key} was not there`);
    assert.equal(members.size, 0, `${change.key} went with members`);
  }
}

function accumulateKeyed<K, V>(table: Map<K, V>, changes: readonly Change<K, V>[]): void {
  for (const { key, value } of changes) {
    if (value === undefined) assert.ok(table.delete(key), `${key} was not there`);
    else {
      assert.notDeepEqual(table.get(key), value, `${key} did not change`);
      table.set(key, value);
    }
  }
}

function memberText(member: SetChange['added'][number]): string {
  if (typeof member === 'string') return member;
  return 'first' in member ? `${member.first}-${member.last}` : `${member.ip} ${member.protocol} ${member.port}`;
}
