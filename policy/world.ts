// What policies are judged against: namespaces, pods and nodes, reduced to the facts that policy depends on.
import type { Brand } from '../lib/brand.ts';
import type { Ip } from '../lib/ip.ts';
import type { Protocol } from './ir.ts';
import type { Labels } from './selector.ts';

/** `namespace/name`. */
export type PodKey = Brand<string, 'PodKey'>;

/**
 * A pod. `ips` come from the status, at most one per family in practice. `finished`: it ran to its end and no longer
 * owns its addresses. `uid` is what the container runtime knows the pod by; absent: not known.
 */
export type PodFacts = {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
  readonly labels: Labels;
  readonly ips: readonly Ip[];
  readonly ports: readonly NamedPort[];
  readonly node?: string;
  readonly hostNetwork: boolean;
  readonly finished: boolean;
};

export type NamedPort = { readonly name: string; readonly protocol: Protocol; readonly port: number };

/** A node: its labels and all addresses of its status. */
export type NodeFacts = { readonly labels: Labels; readonly ips: readonly Ip[] };

export const podKey = (namespace: string, name: string): PodKey => `${namespace}/${name}` as PodKey;

/** Whether a pod's addresses may stand for the pod: not those of the node, not those that a finished pod gave back. */
export const ownsAddresses = (pod: PodFacts): boolean => !pod.hostNetwork && !pod.finished;
