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
import { type Labels, selectorMatches } from '../selector.ts';
import { type NodeFacts, type PodFacts, type PodKey, podKey } from '../world.ts';
import { createActiveChains } from './active-chains.ts';
import { createActiveProfiles } from './active-profiles.ts';
import { createMultiMap } from './multi-map.ts';
import { createNodeSets } from './node-sets.ts';
import { createPodIndex } from './pod-index.ts';
import { createPodSets } from './pod-sets.ts';
import { chainKeyOf, closedProfile, createProfileFinder, type ProfileFinder } from './profiles.ts';
import { sameEndpoint, sameLabels, sameNode, samePod } from './same.ts';
import { createScopeIndex } from './scope-index.ts';
import type { ChainKey, Endpoint, EndpointPolicy, PolicyModel } from './types.ts';

/** An empty model: no namespace, no pod, no policy, no endpoint. */
export function createPolicyModel(): PolicyModel {
  const index = createPodIndex();
  const namespaces = new Map<string, Labels>();
  const policies = new Map<PolicyKey, Policy>();
  // Kept, because a string that was looked up before is found faster than an equal one.
  const chainKeys = new Map<PolicyKey, Readonly<Record<Direction, ChainKey>>>();
  const subjects = createScopeIndex<PolicyKey>();
  // Whom these select in a namespace whose labels are not known, nobody can tell.
  const bySelectedNamespace = new Set<PolicyKey>();
  const nodes = new Map<string, NodeFacts>();
  const endpoints = new Map<IfName, Endpoint>();
  const endpointsOfPod = createMultiMap<PodKey, IfName>();
  const endpointsOfNamespace = createMultiMap<string, IfName>();
  const reported = new Map<IfName, EndpointPolicy>();

  const dirtyPods = new Map<PodKey, 'changed' | 'gone'>();
  const dirtyEndpoints = new Set<IfName>();
  const dirtyPolicies = new Set<PolicyKey>();
  let nodesRevoke = false;

  const podSets = createPodSets(index, (key, facts) => addressesOf(key, facts, endpointsOfPod.get(key), endpoints));
  const nodeSets = createNodeSets();
  const chains = createActiveChains(policies, { podSets, nodeSets });
  const profiles = createActiveProfiles(chains);

  const touchPod = (key: PodKey, how: 'changed' | 'gone'): void => {
    if (dirtyPods.get(key) !== 'changed') dirtyPods.set(key, how);
    for (const ifName of endpointsOfPod.get(key)) dirtyEndpoints.add(ifName);
  };

  const touchSubjects = (policy: Policy): void => {
    const { namespaces: scope } = policy.subject;
    for (const ifName of scope.kind === 'name' ? endpointsOfNamespace.get(scope.name) : endpoints.keys()) {
      const facts = podOf(endpoints.get(ifName));
      if (facts === undefined) continue;
      const labels = index.namespace(facts.namespace);
      if (labels === undefined || podInScope(policy.subject, facts, labels)) dirtyEndpoints.add(ifName);
    }
  };

  // The pod of an endpoint, or undefined while it is not known which it is.
  const podOf = (endpoint: Endpoint | undefined): PodFacts | undefined => {
    if (endpoint === undefined) return undefined;
    const facts = index.pod(podKey(endpoint.namespace, endpoint.pod));
    return facts !== undefined && !facts.hostNetwork && isSamePod(endpoint, facts) ? facts : undefined;
  };

  const policyOf = (endpoint: Endpoint, findProfiles: ProfileFinder): EndpointPolicy => {
    const facts = podOf(endpoint);
    if (facts === undefined) {
      const [egress, ingress] = [closedProfile('egress'), closedProfile('ingress')];
      profiles.mention(egress, ingress);
      return { egress: egress.key, ingress: ingress.key, ips: endpoint.ips };
    }
    const selected = [...subjects.find(index.place(facts))].flatMap((key) => policies.get(key) ?? []);
    const found = findProfiles(selected);
    const egress = isSubjectUnknown(facts, 'egress') ? closedProfile('egress') : found.egress;
    const ingress = isSubjectUnknown(facts, 'ingress') ? closedProfile('ingress') : found.ingress;
    profiles.mention(egress, ingress);
    return { egress: egress.key, ingress: ingress.key, ips: endpoint.ips };
  };

  // Whether a policy selects the pod, for all that is known of its namespace.
  const isSubjectUnknown = (facts: PodFacts, direction: Direction): boolean => {
    if (index.namespace(facts.namespace) !== undefined) return false;
    for (const key of bySelectedNamespace) {
      const policy = policies.get(key);
      if (policy?.[direction] !== undefined && selectorMatches(policy.subject.pods, facts.labels)) return true;
    }
    return false;
  };

  const drainPods = (): boolean => {
    let revokes = false;
    for (const [key, how] of dirtyPods) {
      const { gained, lost } = podSets.refresh(key);
      if ((lost && how === 'changed') || ((gained || lost) && chains.hasNonAllow())) revokes = true;
    }
    dirtyPods.clear();
    return revokes;
  };

  const drainEndpoints = (): {
    readonly changes: readonly Change<IfName, EndpointPolicy>[];
    readonly revokes: boolean;
  } => {
    const changes: Change<IfName, EndpointPolicy>[] = [];
    const findProfiles = createProfileFinder(
      (key, direction) => chainKeys.get(key)?.[direction] ?? chainKeyOf(key, direction),
    );
    let revokes = false;
    for (const key of dirtyEndpoints) {
      const endpoint = endpoints.get(key);
      const before = reported.get(key);
      const value = endpoint === undefined ? undefined : policyOf(endpoint, findProfiles);
      if (value === undefined ? before === undefined : before !== undefined && sameEndpointPolicy(before, value))
        continue;
      if (before !== undefined && value !== undefined) revokes ||= profiles.canRevoke(before, value);
      profiles.replace(before, value);
      if (value === undefined) reported.delete(key);
      else reported.set(key, value);
      changes.push({ key, value });
    }
    dirtyEndpoints.clear();
    return { changes, revokes };
  };

  return {
    setNamespace: (name, labels) => {
      const before = namespaces.get(name);
      if (before === labels || (before !== undefined && labels !== undefined && sameLabels(before, labels))) return;
      if (labels === undefined) namespaces.delete(name);
      else namespaces.set(name, labels);
      index.setNamespace(name, labels);
      for (const key of index.podsOf(name)) touchPod(key, 'changed');
    },
    setPod: (key, facts) => {
      const before = index.pod(key);
      if (before === facts || (before !== undefined && facts !== undefined && samePod(before, facts))) return;
      index.setPod(key, facts);
      touchPod(key, facts === undefined ? 'gone' : 'changed');
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
      const before = policies.get(key);
      if (before !== undefined) {
        subjects.delete(before.subject, key);
        bySelectedNamespace.delete(key);
        touchSubjects(before);
      }
      if (policy === undefined) {
        policies.delete(key);
        chainKeys.delete(key);
      } else {
        policies.set(key, policy);
        if (before === undefined)
          chainKeys.set(key, { ingress: chainKeyOf(key, 'ingress'), egress: chainKeyOf(key, 'egress') });
        subjects.add(policy.subject, key);
        if (selectsByNamespaceLabels(policy)) bySelectedNamespace.add(key);
        touchSubjects(policy);
      }
      dirtyPolicies.add(key);
    },
    setEndpoint: (ifName, endpoint) => {
      const before = endpoints.get(ifName);
      if (before === endpoint || (before !== undefined && endpoint !== undefined && sameEndpoint(before, endpoint)))
        return;
      for (const [one, present] of [
        [before, false],
        [endpoint, true],
      ] as const) {
        if (one === undefined) continue;
        const how = present ? 'add' : 'delete';
        endpointsOfPod[how](podKey(one.namespace, one.pod), ifName);
        endpointsOfNamespace[how](one.namespace, ifName);
        touchPod(podKey(one.namespace, one.pod), endpoint === undefined ? 'gone' : 'changed');
      }
      if (endpoint === undefined) endpoints.delete(ifName);
      else endpoints.set(ifName, endpoint);
      dirtyEndpoints.add(ifName);
    },
    drain: () => {
      const podsRevoke = drainPods() || nodesRevoke;
      nodesRevoke = false;
      const { changes, revokes } = drainEndpoints();
      const profileChanges = profiles.drain();
      const chainOutcome = chains.drain(dirtyPolicies);
      dirtyPolicies.clear();
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

// The node knows better than the status, which follows later and may still hold the address of an earlier sandbox.
function addressesOf(
  _key: PodKey,
  facts: PodFacts,
  ifNames: ReadonlySet<IfName>,
  endpoints: ReadonlyMap<IfName, Endpoint>,
): readonly Ip[] {
  const local = [...ifNames].flatMap((ifName) => {
    const endpoint = endpoints.get(ifName);
    return endpoint !== undefined && isSamePod(endpoint, facts) ? endpoint.ips : [];
  });
  return local.length > 0 ? [...new Set(local)].sort() : facts.ips;
}

const sameEndpointPolicy = (a: EndpointPolicy, b: EndpointPolicy): boolean =>
  a.egress === b.egress && a.ingress === b.ingress && a.ips.join() === b.ips.join();
