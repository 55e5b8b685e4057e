// The incremental policy model. Inputs only note what they touch; `drain` carries the change from pods to sets and from
// endpoints over profiles and chains to sets, each step looking only at what the one before reported.
//
//   setPod, setNamespace ─► dirty pods ──────► set members ◄── setNode
//           └────────────┐
//   setEndpoint ─► dirty endpoints ─► profiles (counted) ─► chains (counted) ─► sets (counted)
//   setPolicy ──────┴─► dirty policies ─────────────────────────┘
import type { Change } from '../../lib/change.ts';
import type { Ip } from '../../lib/ip.ts';
import type { IfName } from '../../lib/linux/if-name.ts';
import type { Direction, Policy, PolicyKey } from '../ir.ts';
import { podInScope } from '../pod-scope.ts';
import { selectorMatches } from '../selector.ts';
import { type NodeFacts, type PodFacts, podKey } from '../world.ts';
import { createActiveChains } from './active-chains.ts';
import { createActiveProfiles, profilesNarrow } from './active-profiles.ts';
import { createLocalAddresses } from './local-addresses.ts';
import { createNodeSets } from './node-sets.ts';
import { createPodIndex, placePod } from './pod-index.ts';
import { createPodSets } from './pod-sets.ts';
import { createProfileFinder, ensureClosed, type ProfileFinder } from './profile-finder.ts';
import type { EndpointRecord, PodRecord, PolicyRecord, ProfilePair } from './records.ts';
import { sameEndpoint, sameIps, sameLabels, sameNode, samePod } from './same.ts';
import { createScopeIndex } from './scope-index.ts';
import type { Endpoint, EndpointPolicy, PolicyModel } from './types.ts';

/** An empty model: no namespace, no pod, no policy, no endpoint. */
export function createPolicyModel(): PolicyModel {
  const index = createPodIndex();
  const policies = new Map<PolicyKey, PolicyRecord>();
  const subjects = createScopeIndex<PolicyRecord>();
  // Whom these select in a namespace whose labels are not known, nobody can tell.
  const bySelectedNamespace = new Set<PolicyRecord>();
  const nodes = new Map<string, NodeFacts>();
  const endpoints = new Map<IfName, EndpointRecord>();

  let dirtyPods: PodRecord[] = [];
  let dirtyEndpoints: EndpointRecord[] = [];
  let dirtyPolicies: PolicyRecord[] = [];
  let nodesRevoke = false;
  let policyRecords = 0;

  const local = createLocalAddresses();
  const podSets = createPodSets(index, (pod, facts) => addressesOf(pod, facts, local.isTaken));
  const nodeSets = createNodeSets();
  const chains = createActiveChains({ podSets, nodeSets });
  const profiles = createActiveProfiles(chains);

  const touchEndpoint = (record: EndpointRecord): void => {
    if (record.dirty) return;
    record.dirty = true;
    dirtyEndpoints.push(record);
  };

  const touchPod = (pod: PodRecord, how: 'changed' | 'gone'): void => {
    if (pod.dirty === undefined) dirtyPods.push(pod);
    if (pod.dirty !== 'changed') pod.dirty = how;
    for (const endpoint of pod.endpoints) touchEndpoint(endpoint);
  };

  const touchSubjects = (policy: Policy): void => {
    const { namespaces: scope } = policy.subject;
    const affected = scope.kind === 'name' ? index.namespace(scope.name)?.endpoints : endpoints.values();
    if (affected === undefined) return;
    for (const record of affected) {
      const facts = factsOf(record);
      if (facts === undefined) continue;
      const { labels } = record.pod.namespace;
      if (labels === undefined || podInScope(policy.subject, facts, labels)) touchEndpoint(record);
    }
  };

  const profilesOf = (record: EndpointRecord, findProfiles: ProfileFinder): ProfilePair => {
    const facts = factsOf(record);
    if (facts === undefined) {
      return { egress: ensureClosed(profiles.ensure, 'egress'), ingress: ensureClosed(profiles.ensure, 'ingress') };
    }
    const { namespace } = record.pod;
    const found = findProfiles(subjects.find(placePod(namespace, facts)));
    if (namespace.labels !== undefined) return found;
    return {
      egress: mayBeSelected(facts, 'egress') ? ensureClosed(profiles.ensure, 'egress') : found.egress,
      ingress: mayBeSelected(facts, 'ingress') ? ensureClosed(profiles.ensure, 'ingress') : found.ingress,
    };
  };

  // Whether a policy would select the pod of a namespace that is not known, if its labels were the right ones.
  const mayBeSelected = (facts: PodFacts, direction: Direction): boolean => {
    for (const { policy } of bySelectedNamespace) {
      if (policy?.[direction] !== undefined && selectorMatches(policy.subject.pods, facts.labels)) return true;
    }
    return false;
  };

  const drainPods = (): boolean => {
    let revokes = false;
    for (const pod of dirtyPods) {
      const { gained, lost } = podSets.refresh(pod);
      if ((lost && pod.dirty === 'changed') || ((gained || lost) && chains.hasNonAllow())) revokes = true;
      pod.dirty = undefined;
      index.tidy(pod);
    }
    dirtyPods = [];
    return revokes;
  };

  const drainEndpoints = (): {
    readonly changes: readonly Change<IfName, EndpointPolicy>[];
    readonly revokes: boolean;
  } => {
    const changes: Change<IfName, EndpointPolicy>[] = [];
    const findProfiles = createProfileFinder(profiles.ensure);
    let revokes = false;
    for (const record of dirtyEndpoints) {
      record.dirty = false;
      const { ifName: key, endpoint, reported: before } = record;
      if (endpoint === undefined) {
        endpoints.delete(key);
        record.reported = undefined;
        profiles.replace(before?.profiles, undefined);
        if (before !== undefined) changes.push({ key, value: undefined });
        continue;
      }
      const after = profilesOf(record, findProfiles);
      if (before !== undefined) {
        const { egress, ingress } = before.profiles;
        if (egress === after.egress && ingress === after.ingress && sameIps(before.value.ips, endpoint.ips)) continue;
        // Without an address it had no flow that could lose anything.
        revokes ||= before.value.ips.length > 0 && profilesNarrow(before.profiles, after);
      }
      profiles.replace(before?.profiles, after);
      const value = { egress: after.egress.key, ingress: after.ingress.key, ips: endpoint.ips };
      record.reported = { value, profiles: after };
      changes.push({ key, value });
    }
    dirtyEndpoints = [];
    return { changes, revokes };
  };

  const settlePolicies = (): void => {
    for (const record of dirtyPolicies) {
      record.dirty = false;
      const { key, policy, ingress, egress } = record;
      if (policy === undefined && (ingress?.count ?? 0) === 0 && (egress?.count ?? 0) === 0) policies.delete(key);
    }
    dirtyPolicies = [];
  };

  const addPolicy = (key: PolicyKey): PolicyRecord => {
    policyRecords++;
    const made: PolicyRecord = {
      key,
      id: policyRecords,
      policy: undefined,
      ingress: undefined,
      egress: undefined,
      dirty: false,
    };
    policies.set(key, made);
    return made;
  };

  const addEndpoint = (ifName: IfName, pod: PodRecord): EndpointRecord => {
    const made = { ifName, endpoint: undefined, pod, reported: undefined, dirty: false };
    endpoints.set(ifName, made);
    return made;
  };

  // The pod that it belonged to reads its addresses from its status again.
  const detach = (record: EndpointRecord, how: 'changed' | 'gone'): void => {
    const { pod } = record;
    pod.endpoints = pod.endpoints.filter((one) => one !== record);
    pod.namespace.endpoints?.delete(record);
    local.noteStatus(pod);
    touchPod(pod, how);
    touchEndpoint(record);
  };

  const attach = (record: EndpointRecord, how: 'changed' | 'gone'): void => {
    const { pod } = record;
    pod.endpoints = [...pod.endpoints, record];
    pod.namespace.endpoints ??= new Set();
    pod.namespace.endpoints.add(record);
    local.noteStatus(pod);
    touchPod(pod, how);
  };

  return {
    setNamespace: (name, labels) => {
      const before = index.namespace(name);
      const written = before?.written;
      if (written === labels || (written !== undefined && labels !== undefined && sameLabels(written, labels))) return;
      const pods = before?.pods ?? [];
      index.setNamespace(name, labels);
      for (const pod of pods) touchPod(pod, 'changed');
    },
    setPod: (key, facts) => {
      const known = index.pod(key);
      const before = known?.facts;
      if (before === facts || (before !== undefined && facts !== undefined && samePod(before, facts))) return;
      const pod = known ?? (facts && index.addPod(key, facts.namespace));
      if (pod === undefined) return;
      index.setFacts(pod, facts);
      local.noteStatus(pod);
      touchPod(pod, facts === undefined ? 'gone' : 'changed');
    },
    setNode: (name, facts) => {
      const before = nodes.get(name);
      if (before === facts || (before !== undefined && facts !== undefined && sameNode(before, facts))) return;
      if (facts === undefined) nodes.delete(name);
      else nodes.set(name, facts);
      const { gained, lost } = nodeSets.setNode(name, facts);
      if (lost || (gained && chains.hasNonAllow())) nodesRevoke = true;
    },
    setPolicy: (key, policy) => {
      const known = policies.get(key);
      if (policy === undefined && known?.policy === undefined) return;
      const record = known ?? addPolicy(key);
      const before = record.policy;
      if (before !== undefined) {
        subjects.delete(before.subject, record);
        bySelectedNamespace.delete(record);
        touchSubjects(before);
      }
      record.policy = policy;
      if (policy !== undefined) {
        subjects.add(policy.subject, record);
        if (selectsByNamespaceLabels(policy)) bySelectedNamespace.add(record);
        touchSubjects(policy);
      }
      if (record.dirty) return;
      record.dirty = true;
      dirtyPolicies.push(record);
    },
    setEndpoint: (ifName, endpoint) => {
      const known = endpoints.get(ifName);
      const before = known?.endpoint;
      if (before === endpoint || (before !== undefined && endpoint !== undefined && sameEndpoint(before, endpoint)))
        return;
      // One that is expected has no address yet, or none any more.
      const how = endpoint === undefined || endpoint.ips.length === 0 ? 'gone' : 'changed';
      // The status of others that are bound here may name what this endpoint got or lost.
      for (const pod of local.replace(before?.ips ?? [], endpoint?.ips ?? [])) {
        if (pod !== known?.pod) touchPod(pod, 'changed');
      }
      if (known !== undefined && before !== undefined) detach(known, how);
      if (endpoint === undefined) {
        if (known !== undefined) known.endpoint = undefined;
        return;
      }
      const key = podKey(endpoint.namespace, endpoint.pod);
      const pod = index.pod(key) ?? index.addPod(key, endpoint.namespace);
      const record = known ?? addEndpoint(ifName, pod);
      record.endpoint = endpoint;
      record.pod = pod;
      attach(record, how);
    },
    drain: () => {
      const podsRevoke = drainPods() || nodesRevoke;
      nodesRevoke = false;
      const { changes, revokes } = drainEndpoints();
      const profileChanges = profiles.drain();
      const chainOutcome = chains.drain(dirtyPolicies);
      settlePolicies();
      return {
        sets: [...chainOutcome.sets, ...podSets.drain(), ...nodeSets.drain()],
        chains: chainOutcome.chains,
        profiles: profileChanges,
        endpoints: changes,
        canRevoke: podsRevoke || revokes || chainOutcome.canRevoke,
      };
    },
  };
}

const selectsByNamespaceLabels = ({ subject: { namespaces } }: Policy): boolean =>
  namespaces.kind === 'selector' && namespaces.selector.requirements.length > 0;

// The container runtime's uid tells a pod from one of the same name before it.
const isSamePod = (endpoint: Endpoint, facts: PodFacts): boolean =>
  endpoint.uid === undefined || facts.uid === undefined || endpoint.uid === facts.uid;

// The facts of the pod of an endpoint, or undefined while it is not known which pod that is.
function factsOf({ endpoint, pod: { facts } }: EndpointRecord): PodFacts | undefined {
  return endpoint !== undefined && facts !== undefined && !facts.hostNetwork && isSamePod(endpoint, facts)
    ? facts
    : undefined;
}

// The node knows better than the status, which follows later and may still hold the address of an earlier sandbox. What an
// endpoint has is of its pod alone: the status of a pod that waits for a sandbox here may name it for a while.
function addressesOf({ endpoints }: PodRecord, facts: PodFacts, isTaken: (ip: Ip) => boolean): readonly Ip[] {
  const local: (readonly Ip[])[] = [];
  for (const { endpoint } of endpoints) {
    if (endpoint !== undefined && endpoint.ips.length > 0 && isSamePod(endpoint, facts)) local.push(endpoint.ips);
  }
  const [only] = local;
  if (only === undefined) {
    return endpoints.length > 0 && facts.ips.some(isTaken) ? facts.ips.filter((ip) => !isTaken(ip)) : facts.ips;
  }
  return local.length === 1 && only.length === 1 ? only : [...new Set(local.flat())].sort();
}
