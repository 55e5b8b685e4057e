// The outputs of the policy model by brute force from the final inputs: the yardstick of the incremental one.
import type { Ip } from '../../lib/ip.ts';
import type { Direction, Policy } from '../../policy/ir.ts';
import { lowerPolicy } from '../../policy/model/lower.ts';
import { chainKeyOf, closedProfile, profileOf } from '../../policy/model/profiles.ts';
import type { SetRef } from '../../policy/model/set-ref.ts';
import type { Endpoint } from '../../policy/model/types.ts';
import { namespaceLabels, podInScope } from '../../policy/pod-scope.ts';
import { selectorMatches } from '../../policy/selector.ts';
import { type PodFacts, type PodKey, podKey } from '../../policy/world.ts';
import type { Inputs } from './histories.ts';
import type { Outputs } from './outputs.ts';

/** What the model must hold after any history that ends in these inputs. */
export function naiveOutputs(inputs: Inputs): Outputs {
  const outputs: Outputs = { sets: new Map(), chains: new Map(), profiles: new Map(), endpoints: new Map() };
  for (const [ifName, endpoint] of inputs.endpoints) {
    const pod = inputs.pods.get(podKey(endpoint.namespace, endpoint.pod));
    const known = pod !== undefined && !pod.hostNetwork && fits(endpoint, pod);
    const selected = [...inputs.policies.values()].filter((policy) => known && holds(inputs, policy.subject, pod));
    const [egress, ingress] = (['egress', 'ingress'] as const).map((direction) =>
      known && !mayBeSelected(inputs, pod, direction) ? profileOf(selected, direction) : closedProfile(direction),
    );
    if (egress === undefined || ingress === undefined) throw new Error('Cannot happen');
    outputs.profiles.set(egress.key, egress.profile).set(ingress.key, ingress.profile);
    outputs.endpoints.set(ifName, { egress: egress.key, ingress: ingress.key, ips: endpoint.ips });
    for (const policy of selected) {
      for (const direction of ['egress', 'ingress'] as const) {
        if (policy[direction] === undefined || (known && mayBeSelected(inputs, pod, direction))) continue;
        const { chain, sets } = lowerPolicy(policy, direction);
        outputs.chains.set(chainKeyOf(policy.key, direction), chain);
        for (const { key, ref } of sets) outputs.sets.set(key, members(inputs, ref));
      }
    }
  }
  return outputs;
}

function members(inputs: Inputs, ref: SetRef): Set<string> {
  if (ref.kind === 'ranges') return new Set(ref.ranges.map(({ first, last }) => `${first}-${last}`));
  const found = new Set<string>();
  if (ref.kind === 'nodes') {
    for (const { labels, ips } of inputs.nodes.values()) {
      for (const ip of selectorMatches(ref.selector, labels) ? ips : []) found.add(ip);
    }
    return found;
  }
  for (const [key, pod] of inputs.pods) {
    if (pod.hostNetwork || pod.finished || !holds(inputs, ref.scope, pod)) continue;
    for (const ip of addresses(inputs, key, pod)) {
      if (ref.kind === 'addresses') found.add(ip);
      else {
        for (const { name, protocol, port } of pod.ports) {
          if (name === ref.name && (ref.protocol ?? protocol) === protocol) found.add(`${ip} ${protocol} ${port}`);
        }
      }
    }
  }
  return found;
}

function addresses(inputs: Inputs, key: PodKey, pod: PodFacts): readonly Ip[] {
  const all = [...inputs.endpoints.values()];
  const bound = all.filter((one) => podKey(one.namespace, one.pod) === key);
  const ips = bound.filter((one) => fits(one, pod)).flatMap((endpoint) => endpoint.ips);
  if (ips.length > 0) return ips;
  // Of the addresses of its status, those that an endpoint has are that one's.
  return bound.length === 0 ? pod.ips : pod.ips.filter((ip) => !all.some((one) => one.ips.includes(ip)));
}

function holds(inputs: Inputs, scope: Policy['subject'], pod: PodFacts): boolean {
  const labels = inputs.namespaces.get(pod.namespace);
  return podInScope(scope, pod, labels && namespaceLabels(pod.namespace, labels));
}

// By a policy that selects by the labels of a namespace that is not known.
function mayBeSelected(inputs: Inputs, pod: PodFacts, direction: Direction): boolean {
  if (inputs.namespaces.has(pod.namespace)) return false;
  return [...inputs.policies.values()].some(
    ({ subject: { namespaces, pods }, [direction]: rules }) =>
      rules !== undefined &&
      namespaces.kind === 'selector' &&
      namespaces.selector.requirements.length > 0 &&
      selectorMatches(pods, pod.labels),
  );
}

const fits = (endpoint: Endpoint, pod: PodFacts): boolean =>
  endpoint.uid === undefined || pod.uid === undefined || endpoint.uid === pod.uid;
