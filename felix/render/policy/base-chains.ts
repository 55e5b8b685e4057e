// The chains that hang on the hooks, and the sets that they look into. `accept` ends only its own base chain, so a packet
// between two local pods passes egress of the one and ingress of the other.
//
//   prerouting -300 raw_pre       forward -3 fwd_egress     input -2 in_egress
//                                 forward -2 fwd_ingress    input -1 in_stamp
//                                 forward -1 fwd_stamp
//
// Every packet of every pod comes through them, and most belong to a flow that was judged before. So each rule asks for
// the exception, and leads it into another chain (slow-path.ts): a packet without one falls to the end of the chain, which
// costs less than a verdict. What is asked must therefore never fail on a packet that has no such field, as the rule would
// be passed over: only `ct state` is there for a packet that conntrack does not know.
//
// Output is not policed: a node may always reach its own pods (kubelet's probes).
import type { Chain, ChainName, Counter, Hook, NftSet, Operand, Rule } from '../../../lib/nftables/ast.ts';
import { GENERATION_MASK, type Generation, generationMark } from './generation.ts';
import { BASE_COUNTERS, CHAINS, CLOSED_PORTS, ENDPOINT_SETS, NODES, SERVICE_RANGES } from './names.ts';
import { fromLinkLocal, slowPath } from './slow-path.ts';
import {
  accept,
  countedBy,
  ct,
  drop,
  goto,
  iif,
  inSet,
  is,
  isNot,
  MARK,
  notInSet,
  oif,
  PODS,
  payload,
  rule,
} from './statements.ts';

/** Sets and maps of endpoints, counters, and all chains that are there always. Those that carry the generation differ by it. */
export function baseObjects(generation: Generation): readonly (Chain | NftSet | Counter)[] {
  return [
    { kind: 'set', name: ENDPOINT_SETS.addresses[4], keyTypes: ['ifname', 'ipv4_addr'], interval: false },
    { kind: 'set', name: ENDPOINT_SETS.addresses[6], keyTypes: ['ifname', 'ipv6_addr'], interval: false },
    { kind: 'set', name: ENDPOINT_SETS.hairpin, keyTypes: ['ifname', 'ifname'], interval: false },
    { kind: 'set', name: ENDPOINT_SETS.dispatch.egress, keyTypes: ['ifname'], interval: false, data: 'verdict' },
    { kind: 'set', name: ENDPOINT_SETS.dispatch.ingress, keyTypes: ['ifname'], interval: false, data: 'verdict' },
    { kind: 'set', name: CLOSED_PORTS, keyTypes: ['inet_proto', 'inet_service'], interval: false, data: 'verdict' },
    { kind: 'set', name: NODES[4], keyTypes: ['ipv4_addr'], interval: false },
    { kind: 'set', name: NODES[6], keyTypes: ['ipv6_addr'], interval: false },
    { kind: 'set', name: SERVICE_RANGES[4], keyTypes: ['ipv4_addr'], interval: true },
    { kind: 'set', name: SERVICE_RANGES[6], keyTypes: ['ipv6_addr'], interval: true },
    ...Object.values(BASE_COUNTERS).map((name): Counter => ({ kind: 'counter', name })),
    baseChain('raw_pre', 'prerouting', -300, antiSpoof()),
    ...slowPath(),
    ...generationChains(generation),
  ];
}

/** The chains that carry the generation. */
export function generationChains(generation: Generation): readonly Chain[] {
  const notCurrent = isNot(MARK, generationMark(generation));
  // The state is asked too: a mark that somebody else gave to a new flow lets nothing in, and a packet that conntrack does
  // not know has no mark to be asked for.
  const judge = (side: Operand, chain: ChainName): readonly Rule[] => [
    rule(notCurrent, is(side, PODS), goto(chain)),
    rule(isNot(ct('state'), 'established'), is(side, PODS), goto(chain)),
  ];
  // An error has the mark of the flow that it is about. It was not judged by policy, so it says nothing about that flow.
  const stamp = (side: Operand): Rule =>
    rule(notCurrent, is(side, PODS), is(ct('direction'), 'original'), isNot(ct('state'), 'related'), {
      kind: 'set-ct-mark',
      mask: GENERATION_MASK,
      value: generationMark(generation),
    });
  return [
    baseChain('fwd_egress', 'forward', -3, judge(iif, CHAINS.egress)),
    baseChain('fwd_ingress', 'forward', -2, judge(oif, CHAINS.ingress)),
    // Reached only by what both directions let through. What leads to a pod has its mark after the first rule.
    baseChain('fwd_stamp', 'forward', -1, [rule(notCurrent, goto(CHAINS.stamp))]),
    { kind: 'chain', name: CHAINS.stamp, rules: [stamp(oif), rule(notCurrent, goto(CHAINS.leaving))] },
    { kind: 'chain', name: CHAINS.leaving, rules: [...noServiceLoops(), stamp(iif)] },
    baseChain('in_egress', 'input', -2, judge(iif, CHAINS.input)),
    baseChain('in_stamp', 'input', -1, [rule(notCurrent, is(iif, PODS), goto(CHAINS.arrived))]),
    // Conntrack does not tell links apart: another pod may use the same addresses and ports, so each packet is judged.
    { kind: 'chain', name: CHAINS.arrived, rules: [rule(fromLinkLocal(), accept), stamp(iif)] },
  ];
}

function baseChain(name: string, hook: Hook['hook'], priority: number, rules: readonly Rule[]): Chain {
  return { kind: 'chain', name: name as ChainName, hook: { type: 'filter', hook, priority, policy: 'accept' }, rules };
}

// Whoever gives a packet a source has one of these headers in it, so nothing slips past both rules.
const antiSpoof = (): readonly Rule[] => [
  rule(is(iif, PODS), notInSet([iif, payload('ip saddr')], ENDPOINT_SETS.addresses[4]), goto(CHAINS.oddSource)),
  rule(is(iif, PODS), notInSet([iif, payload('ip6 saddr')], ENDPOINT_SETS.addresses[6]), goto(CHAINS.oddSource)),
];

// A packet for a service has a pod's address by now. One that does not is for a service that nobody serves: the routers
// above have the range from here and would send it back, until its time to live is over.
const noServiceLoops = (): readonly Rule[] => [
  rule(inSet([payload('ip daddr')], SERVICE_RANGES[4]), countedBy(BASE_COUNTERS.service), drop),
  rule(inSet([payload('ip6 daddr')], SERVICE_RANGES[6]), countedBy(BASE_COUNTERS.service), drop),
];
