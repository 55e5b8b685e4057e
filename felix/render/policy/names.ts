// Names of the table's objects. What is shared is named by a hash of its canonical key, so that the same thing has the
// same name in every run and on every node, and names of 253 characters fit.
import { hash as digest } from 'node:crypto';
import type { Family } from '../../../lib/ip.ts';
import type { ChainName, CounterName, SetName, Table, TableName } from '../../../lib/nftables/ast.ts';
import type { Direction, PolicyKey } from '../../../policy/ir.ts';
import type { ChainKey, ProfileKey, SetKey } from '../../../policy/model/types.ts';

/** The table of policy. */
export const POLICY_TABLE: Table = { name: 'margay' as TableName, flags: [] };

/** The sets and maps that exist always; their elements follow the endpoints. */
export const ENDPOINT_SETS = {
  /** Interface and address pairs that a pod may send with. */
  addresses: { 4: 'ep_addr4' as SetName, 6: 'ep_addr6' as SetName },
  /** Each interface with itself. */
  hairpin: 'hairpin' as SetName,
  /** Interface to profile chain. */
  dispatch: { egress: 'ep_eg' as SetName, ingress: 'ep_in' as SetName },
} as const;

/** Protocol and port of what nodes keep from pods, to the chain that drops it. */
export const CLOSED_PORTS = 'closed_ports' as SetName;

/** Addresses of all nodes. */
export const NODES: Readonly<Record<Family, SetName>> = { 4: 'nodes4' as SetName, 6: 'nodes6' as SetName };

/** Ranges of service addresses, of which none is a pod or a host. */
export const SERVICE_RANGES: Readonly<Record<Family, SetName>> = {
  4: 'services4' as SetName,
  6: 'services6' as SetName,
};

/** Where the base chains lead what is not of a flow judged before. */
export const CHAINS = {
  /** What has a source that is not one of the pod's addresses. */
  oddSource: 'odd_source' as ChainName,
  egress: 'judge_egress' as ChainName,
  ingress: 'judge_ingress' as ChainName,
  /** Egress to the pod's own node. */
  input: 'judge_input' as ChainName,
  /** What a pod sends that does not begin a flow. */
  sent: 'tracked_sent' as ChainName,
  /** What comes to a pod and does not begin a flow. */
  received: 'tracked_received' as ChainName,
  /** What a pod sends that belongs to a flow without being of it, such as errors about it. */
  related: 'pod_related' as ChainName,
  /** What was judged and allowed. */
  stamp: 'stamp' as ChainName,
  /** What of that does not begin a flow to a pod of the node. */
  leaving: 'stamp_leaving' as ChainName,
  /** What a pod sent to its own node, and was allowed. */
  arrived: 'stamp_arrived' as ChainName,
  /** What a pod sent to the BGP speaker of a node. */
  bgp: 'closed_bgp' as ChainName,
  /** What a pod sent to the metrics of an agent. */
  metrics: 'closed_metrics' as ChainName,
} as const;

/** Where packets to the node's loopback go. */
export const LOOPBACK_CHAIN = 'node_loopback' as ChainName;

/** Counters of what the base chains drop. */
export const BASE_COUNTERS = {
  /** A pod sent with an address that is not its own. */
  spoofed: 'd_spoofed' as CounterName,
  /** A pod sent a tunnel's packet. */
  tunnel: 'd_tunnel' as CounterName,
  /** A pod sent an ICMP error about a flow that is not its own. */
  error: 'd_error' as CounterName,
  /** A pod advertised a route to its node, or told it of a better one. */
  router: 'd_router' as CounterName,
  /** A pod tried to speak BGP or BFD with a node. */
  bgp: 'd_bgp' as CounterName,
  /** A pod tried to read the metrics of an agent. */
  metrics: 'd_metrics' as CounterName,
  /** A pod sent to the node's loopback addresses. */
  loopback: 'd_loopback' as CounterName,
  /** To a service address that nobody serves. */
  service: 'd_service' as CounterName,
  /** To or from a pod interface that no endpoint has. */
  unknown: 'd_unknown' as CounterName,
} as const;

const KIND_LETTER = { addresses: 's', ranges: 'n', ports: 'p' } as const;

/** `s4_…` addresses of pods, `n4_…` ranges, `p4_…` named ports; 6 for IPv6. */
export const setName = (kind: keyof typeof KIND_LETTER, key: SetKey, family: Family): SetName =>
  setNames(kind, key)[family];

/** `pi_…` and `pe_…`: a policy's ingress and egress rules. */
export const policyChainName = (key: ChainKey): ChainName =>
  `p${key.startsWith('ingress ') ? 'i' : 'e'}_${hash(key)}` as ChainName;

/** `fi_…` and `fe_…`: what an endpoint's dispatch leads to. */
export const profileChainName = (key: ProfileKey, direction: Direction): ChainName =>
  `f${letter(direction)}_${hash(key)}` as ChainName;

/** The names of a set in both families. */
export function setNames(kind: keyof typeof KIND_LETTER, key: SetKey): Readonly<Record<Family, SetName>> {
  const tail = hash(key);
  return { 4: `${KIND_LETTER[kind]}4_${tail}` as SetName, 6: `${KIND_LETTER[kind]}6_${tail}` as SetName };
}

/** `ti_…` and `te_…`: one tier of a profile, where passing out of it needs a chain to return from. */
export const tierChainName = (key: ProfileKey, direction: Direction, tier: string): ChainName =>
  `t${letter(direction)}_${hash(`${tier} ${key}`)}` as ChainName;

/**
 * `c_<policy>_i_<index>` and `c_<policy>_e_<index>`: what a policy's rule matched, over all profiles that have it. The
 * function takes the index of the rule.
 */
export function ruleCounterNames(policy: PolicyKey, direction: Direction): (index: number) => CounterName {
  const head = `c_${hash(policy)}_${letter(direction)}_`;
  return (index) => `${head}${index}` as CounterName;
}

/** `di_…` and `de_…`: what came to the end of a profile where everything is dropped. */
export const dropCounterName = (key: ProfileKey, direction: Direction): CounterName =>
  `d${letter(direction)}_${hash(key)}` as CounterName;

const letter = (direction: Direction): 'i' | 'e' => (direction === 'ingress' ? 'i' : 'e');

// 80 bits: labels are chosen by users, and nobody shall find two selectors of one name.
const hash = (text: string): string => digest('sha256', text, 'hex').slice(0, 20);
