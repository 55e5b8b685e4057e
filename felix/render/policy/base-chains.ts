// The chains that hang on the hooks, and the sets that they look into: anti-spoofing, the fast path for flows that were
// judged already, and the dispatch to the profile of a pod's interface. `accept` ends only its own base chain, so a
// packet between two local pods passes egress of the one and ingress of the other.
//
//   prerouting -300 raw_pre       forward -3 fwd_egress     input -2 in_egress
//                                 forward -2 fwd_ingress    input -1 in_stamp
//                                 forward -1 fwd_stamp
//
// Output is not policed: a node may always reach its own pods (kubelet's probes).
import { cidrRange, parseCidr } from '../../../lib/cidr.ts';
import { ipFromBigInt, parseIp } from '../../../lib/ip.ts';
import { IF_PREFIX } from '../../../lib/linux/if-name.ts';
import type { Chain, ChainName, Counter, Hook, NftSet, Operand, Rule, ScalarRange } from '../../../lib/nftables/ast.ts';
import { unwrap } from '../../../lib/result.ts';
import type { Direction } from '../../../policy/ir.ts';
import { GENERATION_MASK, type Generation, generationMark, REVOKED } from './generation.ts';
import { BASE_COUNTERS, BGP_PORTS, ENDPOINT_SETS, LOOPBACK_CHAIN, RELATED_CHAIN } from './names.ts';
import { accept, back, countedBy, drop, inSet, is, isNot, jump, meta, payload, rule } from './statements.ts';

/** Sets and maps of endpoints, counters, and all base chains. Those that carry the generation differ by it. */
export function baseObjects(generation: Generation): readonly (Chain | NftSet | Counter)[] {
  return [
    { kind: 'set', name: ENDPOINT_SETS.addresses[4], keyTypes: ['ifname', 'ipv4_addr'], interval: false },
    { kind: 'set', name: ENDPOINT_SETS.addresses[6], keyTypes: ['ifname', 'ipv6_addr'], interval: false },
    { kind: 'set', name: ENDPOINT_SETS.hairpin, keyTypes: ['ifname', 'ifname'], interval: false },
    { kind: 'set', name: ENDPOINT_SETS.dispatch.egress, keyTypes: ['ifname'], interval: false, data: 'verdict' },
    { kind: 'set', name: ENDPOINT_SETS.dispatch.ingress, keyTypes: ['ifname'], interval: false, data: 'verdict' },
    { kind: 'set', name: BGP_PORTS, keyTypes: ['inet_service'], interval: false },
    ...Object.values(BASE_COUNTERS).map((name): Counter => ({ kind: 'counter', name })),
    baseChain('raw_pre', 'prerouting', -300, antiSpoof()),
    { kind: 'chain', name: LOOPBACK_CHAIN, rules: loopback() },
    { kind: 'chain', name: RELATED_CHAIN, rules: related() },
    ...generationChains(generation),
  ];
}

/** The base chains that carry the generation. */
export function generationChains(generation: Generation): readonly Chain[] {
  const current = is(MARK, generationMark(generation));
  // The state is asked too: a mark that somebody else gave to a new flow lets nothing in.
  const judged = rule(current, is({ kind: 'ct', key: 'state' }, 'established'), accept);
  const stamped = rule(current, accept);
  return [
    baseChain('fwd_egress', 'forward', -3, [
      judged,
      notFrom(iif),
      ...fastPath('egress'),
      ...noTunnels(),
      ...dispatch(iif, 'egress'),
    ]),
    baseChain('fwd_ingress', 'forward', -2, [
      judged,
      notFrom(oif),
      ...fastPath('ingress'),
      ...dispatch(oif, 'ingress'),
    ]),
    baseChain('fwd_stamp', 'forward', -1, [stamped, stamp(iif, generation), stamp(oif, generation)]),
    baseChain('in_egress', 'input', -2, [
      judged,
      notFrom(iif),
      rule(is(payload('icmpv6 type'), { anyOf: NEIGHBOUR_DISCOVERY }), accept),
      ...fastPath('egress'),
      ...noTunnels(),
      ...closedOnNode(),
      ...dispatch(iif, 'egress'),
    ]),
    baseChain('in_stamp', 'input', -1, [stamped, stamp(iif, generation)]),
  ];
}

const PODS = `${IF_PREFIX}*`;
const iif = meta('iifname');
const oif = meta('oifname');
const MARK: Operand = { kind: 'ct-mark', mask: GENERATION_MASK };

/** MLD (RFC 2710, RFC 3810) and neighbour discovery (RFC 4861) without router advertisement and redirect. */
const NEIGHBOUR_DISCOVERY = [130, 131, 132, 133, 135, 136, 143];

/** What a host sends before it has an address: MLD reports and duplicate address detection (RFC 4862 5.4.2). */
const FROM_UNSPECIFIED = [131, 135, 143];

/** Types that quote a packet (RFC 792, RFC 4443 2.1): of IPv6 those below 128 that are in use. */
const ICMP_ERRORS = { 4: [3, 4, 5, 11, 12], 6: [1, 2, 3, 4] } as const;

function baseChain(name: string, hook: Hook['hook'], priority: number, rules: readonly Rule[]): Chain {
  return { kind: 'chain', name: name as ChainName, hook: { type: 'filter', hook, priority, policy: 'accept' }, rules };
}

const notFrom = (side: Operand): Rule => rule(isNot(side, PODS), accept);

// Every packet of every pod comes here, so what holds most often stands first. Link-local packets are never forwarded, and
// what they may do to the node is for in_egress to judge. An interface that is not in the sets drops everything here.
function antiSpoof(): readonly Rule[] {
  return [
    notFrom(iif),
    rule(inSet([iif, payload('ip saddr')], ENDPOINT_SETS.addresses[4]), accept),
    rule(inSet([iif, payload('ip6 saddr')], ENDPOINT_SETS.addresses[6]), accept),
    rule(is(payload('ip6 saddr'), linkLocal()), accept),
    rule(
      is(payload('ip6 saddr'), unwrap(parseIp('::'))),
      is(payload('icmpv6 type'), { anyOf: FROM_UNSPECIFIED }),
      accept,
    ),
    rule(countedBy(BASE_COUNTERS.spoofed), drop),
  ];
}

const linkLocal = (): ScalarRange => rangeOf('fe80::/10');

function rangeOf(cidr: string): ScalarRange {
  const { family, first, last } = cidrRange(unwrap(parseCidr(cidr)));
  return { from: ipFromBigInt(first, family), to: ipFromBigInt(last, family) };
}

// Both directions of a flow that carries the present generation pass at the first rule of each chain, the commonest case by
// far: a flow is stamped only by a packet that every chain let through. What comes here is not stamped, or no longer. Replies
// and errors belong to a flow that was allowed, unless it is marked as revoked: then only its original direction is judged.
function fastPath(direction: Direction): readonly Rule[] {
  const established = is({ kind: 'ct', key: 'state' }, 'established');
  const reply = is({ kind: 'ct', key: 'direction' }, 'reply');
  return [
    rule(is(MARK, generationMark(REVOKED)), reply, drop),
    rule(established, reply, accept),
    direction === 'egress'
      ? rule(is({ kind: 'ct', key: 'state' }, { anyOf: ['invalid', 'related'] }), jump(RELATED_CHAIN))
      : rule(is({ kind: 'ct', key: 'state' }, 'related'), accept),
  ];
}

// An ICMP error quotes the flow that it is about. A pod forwards nothing, so the flows that it has errors to tell of are
// its own. One about a flow of others would carry whatever it likes to them past their policy, on another node as well,
// where it is related to a flow that this node knows nothing of. The rest is judged as any packet.
function related(): readonly Rule[] {
  const own = (['original', 'reply'] as const).flatMap((direction) =>
    ([4, 6] as const).map((family) =>
      rule(
        is({ kind: 'ct', key: 'direction' }, direction),
        inSet([iif, { kind: 'ct-saddr', direction, family }], ENDPOINT_SETS.addresses[family]),
        accept,
      ),
    ),
  );
  const counted = countedBy(BASE_COUNTERS.error);
  return [
    ...own,
    rule(is(payload('icmp type'), { anyOf: ICMP_ERRORS[4] }), counted, drop),
    rule(is(payload('icmpv6 type'), { anyOf: ICMP_ERRORS[6] }), counted, drop),
  ];
}

// A node would unwrap VXLAN (RFC 7348), IP-in-IP (RFC 2003) and 6in4 (RFC 4213) and trust the inside, which policy
// never saw.
function noTunnels(): readonly Rule[] {
  const counted = countedBy(BASE_COUNTERS.tunnel);
  return [
    rule(is(payload('udp dport'), 4789), counted, drop),
    rule(is(meta('l4proto'), { anyOf: ['ipip', 'ipv6'] }), counted, drop),
  ];
}

// What pods may not reach on their node, whatever policy says: the BGP speaker, whose peers are routers, and the node's
// loopback (RFC 1122 3.2.1.3), which the interface's `route_localnet` would open.
function closedOnNode(): readonly Rule[] {
  return [
    rule(inSet([payload('tcp dport')], BGP_PORTS), countedBy(BASE_COUNTERS.bgp), drop),
    rule(is(payload('ip daddr'), rangeOf('127.0.0.0/8')), jump(LOOPBACK_CHAIN)),
  ];
}

// Somebody on the node may have translated an address to loopback on purpose, as for a node-local service.
function loopback(): readonly Rule[] {
  return [rule(is({ kind: 'ct', key: 'status' }, 'dnat'), back), rule(countedBy(BASE_COUNTERS.loopback), drop)];
}

function dispatch(side: Operand, direction: Direction): readonly Rule[] {
  return [
    rule({ kind: 'vmap', key: [side], map: ENDPOINT_SETS.dispatch[direction] }),
    rule(countedBy(BASE_COUNTERS.unknown), drop),
  ];
}

// Reached only by what both directions let through.
function stamp(side: Operand, generation: Generation): Rule {
  return rule(is(side, PODS), is({ kind: 'ct', key: 'direction' }, 'original'), {
    kind: 'set-ct-mark',
    mask: GENERATION_MASK,
    value: generationMark(generation),
  });
}
