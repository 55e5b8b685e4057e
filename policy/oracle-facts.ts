// What the parts of the oracle share: the ends of a packet, and the literal reading of selectors.
import type { LabelSelector } from '../datastore/resources/metadata.ts';
import type { Ip } from '../lib/ip.ts';
import type { Direction, Protocol } from './ir.ts';
import type { World } from './oracle.ts';
import type { Labels } from './selector.ts';
import type { PodFacts } from './world.ts';

/** One end of a packet; `pod` is absent where the address is no pod's. */
export type End = { readonly ip: Ip; readonly pod: PodFacts | undefined };

/** A packet with everything looked up. `hairpin`: it comes back to its sender through a Service. */
export type Facts = {
  readonly from: End;
  readonly to: End;
  readonly protocol: Protocol | 'icmp';
  readonly port: number | undefined;
  readonly hairpin: boolean;
};

/** Pods of the host's network and finished ones have no address that would stand for them. */
export const podsAt = (world: World, ip: Ip): readonly PodFacts[] =>
  world.pods.filter((pod) => !pod.hostNetwork && !pod.finished && pod.ips.includes(ip));

/** The address on the other side of the pod that is judged. */
export const remoteOf = (facts: Facts, which: Direction): Ip => (which === 'ingress' ? facts.from.ip : facts.to.ip);

/** Whether the destination port is what a pod at the destination, one of those `among` holds for, calls so. */
export const isNamedPort = (
  world: World,
  name: string,
  { facts, among }: { readonly facts: Facts; readonly among: (pod: PodFacts) => boolean },
): boolean =>
  podsAt(world, facts.to.ip).some(
    (pod) =>
      among(pod) &&
      pod.ports.some((own) => own.name === name && own.protocol === facts.protocol && own.port === facts.port),
  );

/** Of a namespace that is not known, only the empty selector is sure to hold. */
export function selectsNamespace(world: World, selector: LabelSelector, name: string): boolean {
  const labels = world.namespaces.get(name);
  if (labels === undefined) return isEmpty(selector);
  return selects(selector, { ...labels, 'kubernetes.io/metadata.name': name });
}

export const isEmpty = ({ matchLabels = {}, matchExpressions = [] }: LabelSelector): boolean =>
  Object.keys(matchLabels).length === 0 && matchExpressions.length === 0;

export function selects(selector: LabelSelector, labels: Labels): boolean {
  const has = (key: string): boolean => Object.hasOwn(labels, key);
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (!has(key) || labels[key] !== value) return false;
  }
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const among = has(key) && values.includes(labels[key] ?? '');
    if (operator === 'In' && !among) return false;
    if (operator === 'NotIn' && among) return false;
    if (operator === 'Exists' && !has(key)) return false;
    if (operator === 'DoesNotExist' && has(key)) return false;
  }
  return true;
}
