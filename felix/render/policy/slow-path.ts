// Where packets go that are not those of a flow judged before: the rest of what holds for every pod, and then the dispatch
// to the profile of the pod's interface. Every packet here is of a pod; the base chains have seen to that.
import { cidrRange, parseCidr } from '../../../lib/cidr.ts';
import { ipFromBigInt, parseIp } from '../../../lib/ip.ts';
import type { Chain, ChainName, Operand, Rule, ScalarRange, Statement } from '../../../lib/nftables/ast.ts';
import { unwrap } from '../../../lib/result.ts';
import type { Direction } from '../../../policy/ir.ts';
import { generationMark, REVOKED } from './generation.ts';
import { BASE_COUNTERS, CHAINS, CLOSED_PORTS, ENDPOINT_SETS, LOOPBACK_CHAIN, NODES } from './names.ts';
import {
  accept,
  back,
  countedBy,
  ct,
  drop,
  iif,
  inSet,
  is,
  isNot,
  jump,
  MARK,
  meta,
  oif,
  payload,
  rule,
} from './statements.ts';

/** The chains behind the base chains that are the same in every generation. */
export function slowPath(): readonly Chain[] {
  return [
    chain(CHAINS.oddSource, oddSource()),
    chain(CHAINS.related, related()),
    chain(CHAINS.sent, sent()),
    chain(CHAINS.received, received()),
    chain(CHAINS.egress, [tracked(CHAINS.sent), ...noTunnels(), ...closedOnOthers(), ...dispatch(iif, 'egress')]),
    chain(CHAINS.ingress, [tracked(CHAINS.received), ...dispatch(oif, 'ingress')]),
    chain(CHAINS.input, [
      rule(is(payload('icmpv6 type'), { anyOf: NEIGHBOUR_DISCOVERY }), accept),
      rule(is(payload('icmpv6 type'), { anyOf: OF_ROUTERS }), countedBy(BASE_COUNTERS.router), drop),
      tracked(CHAINS.sent),
      ...noTunnels(),
      ...closedOnNode(),
      ...dispatch(iif, 'egress'),
    ]),
    chain(CHAINS.bgp, [rule(countedBy(BASE_COUNTERS.bgp), drop)]),
    chain(CHAINS.metrics, [rule(countedBy(BASE_COUNTERS.metrics), drop)]),
    chain(LOOPBACK_CHAIN, loopback()),
  ];
}

const chain = (name: ChainName, rules: readonly Rule[]): Chain => ({ kind: 'chain', name, rules });

/** MLD (RFC 2710, RFC 3810) and neighbour discovery (RFC 4861) without router advertisement and redirect. */
const NEIGHBOUR_DISCOVERY = [130, 131, 132, 133, 135, 136, 143];

/** Router advertisement and redirect (RFC 4861 4.2, 4.5). */
const OF_ROUTERS = [134, 137];

/** What a host sends before it has an address: MLD reports and duplicate address detection (RFC 4862 5.4.2). */
const FROM_UNSPECIFIED = [131, 135, 143];

// Link-local packets are never forwarded, and what they may do to the node is for in_egress to judge. An interface that is
// not in the sets drops everything else here.
function oddSource(): readonly Rule[] {
  return [
    rule(fromLinkLocal(), accept),
    rule(
      is(payload('ip6 saddr'), unwrap(parseIp('::'))),
      is(payload('icmpv6 type'), { anyOf: FROM_UNSPECIFIED }),
      accept,
    ),
    rule(countedBy(BASE_COUNTERS.spoofed), drop),
  ];
}

/** Of an address that is known on one link only (RFC 4291 2.5.6). */
export const fromLinkLocal = (): Statement => is(payload('ip6 saddr'), rangeOf('fe80::/10'));

function rangeOf(cidr: string): ScalarRange {
  const { family, first, last } = cidrRange(unwrap(parseCidr(cidr)));
  return { from: ipFromBigInt(first, family), to: ipFromBigInt(last, family) };
}

/** One look tells that the packet begins a flow, and that there is nothing to be known of it. */
const tracked = (chain: ChainName): Rule => rule(isNot(ct('state'), 'new'), jump(chain));

// What comes here is not stamped, or no longer. Replies belong to a flow that was allowed, unless it is marked as revoked:
// then only its original direction is judged.
function replies(): readonly Rule[] {
  const reply = is(ct('direction'), 'reply');
  return [rule(is(MARK, generationMark(REVOKED)), reply, drop), rule(is(ct('state'), 'established'), reply, accept)];
}

const received = (): readonly Rule[] => [...replies(), rule(is(ct('state'), 'related'), accept)];

const sent = (): readonly Rule[] => [...replies(), rule(isNot(ct('state'), 'established'), jump(CHAINS.related))];

/** Types that quote a packet (RFC 792, RFC 4443 2.1). Conntrack relates all of these to a flow, known or unknown. */
const ICMP_ERRORS = { 4: { anyOf: [3, 4, 5, 11, 12] }, 6: { from: 0, to: 127 } } as const;

// An ICMP error quotes the flow that it is about. A pod forwards nothing, so the flows that it has errors to tell of are
// its own. One about a flow of others would carry whatever it likes to them past their policy, on another node as well,
// where it is related to a flow that this node knows nothing of, or that somebody keeps from conntrack here. The rest is
// judged as any packet.
function related(): readonly Rule[] {
  const own = (['original', 'reply'] as const).flatMap((direction) =>
    ([4, 6] as const).map((family) =>
      rule(
        is(ct('direction'), direction),
        inSet([iif, { kind: 'ct-saddr', direction, family }], ENDPOINT_SETS.addresses[family]),
        accept,
      ),
    ),
  );
  const counted = countedBy(BASE_COUNTERS.error);
  return [
    ...own,
    rule(is(payload('icmp type'), ICMP_ERRORS[4]), counted, drop),
    rule(is(payload('icmpv6 type'), ICMP_ERRORS[6]), counted, drop),
  ];
}

// A node would unwrap VXLAN (RFC 7348), IP-in-IP (RFC 2003) and 6in4 (RFC 4213) and trust the inside, which policy
// never saw. Two comparisons cost less than one look into a set.
function noTunnels(): readonly Rule[] {
  const counted = countedBy(BASE_COUNTERS.tunnel);
  return [
    rule(is(payload('udp dport'), 4789), counted, drop),
    rule(is(meta('l4proto'), 'ipip'), counted, drop),
    rule(is(meta('l4proto'), 'ipv6'), counted, drop),
  ];
}

const closedPorts: Statement = { kind: 'vmap', key: [meta('l4proto'), payload('th dport')], map: CLOSED_PORTS };

// What pods may not reach on their node, whatever policy says: the BGP speaker, whose peers are routers, the agent's
// metrics, and the node's loopback (RFC 1122 3.2.1.3), which the interface's `route_localnet` would open.
function closedOnNode(): readonly Rule[] {
  return [rule(closedPorts), rule(is(payload('ip daddr'), rangeOf('127.0.0.0/8')), jump(LOOPBACK_CHAIN))];
}

// The other nodes do not ask who sends, since a packet that comes from a wire says nothing of a pod. Only the addresses
// that their Nodes tell are known here. The address is asked first: nearly all flows are to none of these, so that they
// pay for one look.
const closedOnOthers = (): readonly Rule[] => [
  rule(inSet([payload('ip daddr')], NODES[4]), closedPorts),
  rule(inSet([payload('ip6 daddr')], NODES[6]), closedPorts),
];

// Somebody on the node may have translated an address to loopback on purpose, as for a node-local service.
function loopback(): readonly Rule[] {
  return [rule(is(ct('status'), 'dnat'), back), rule(countedBy(BASE_COUNTERS.loopback), drop)];
}

function dispatch(side: Operand, direction: Direction): readonly Rule[] {
  return [
    rule({ kind: 'vmap', key: [side], map: ENDPOINT_SETS.dispatch[direction] }),
    rule(countedBy(BASE_COUNTERS.unknown), drop),
  ];
}
