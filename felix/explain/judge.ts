// Judges connections by following a packet through a table, each direction as if the other end were on another node.
import { ipFamily } from '../../lib/ip.ts';
import { hostIfName, type IfName } from '../../lib/linux/if-name.ts';
import type { Hook, NftKey, NftObject } from '../../lib/nftables/ast.ts';
import { createWalker, type WalkPacket, type WalkStep } from '../../lib/nftables/walk.ts';
import { createLiveSetIndex } from '../../lib/nftables/walk-live-sets.ts';
import type { Place, Places } from '../../policy/explain/places.ts';
import type { Direction, Policy, Protocol } from '../../policy/ir.ts';
import type { PodFacts } from '../../policy/world.ts';
import { createPolicyBook, type Decision, decisionOf } from './decision.ts';

/** A connection's first packet. `port` is the destination's; ICMP, an echo request, has none. */
export type Flow = {
  readonly from: Place;
  readonly to: Place;
  readonly protocol: Protocol | 'icmp';
  readonly port?: number;
};

/** `path`: the rules that applied, in order. */
export type Finding = {
  readonly allowed: boolean;
  readonly decision: Decision;
  readonly path: readonly WalkStep[];
};

export type Judge = {
  readonly find: (direction: Direction, flow: Flow) => Finding;
  /** Both directions together, quickly, and without reasons. */
  readonly allows: (flow: Flow) => boolean;
};

/** `policies` are those that the table was made from. */
export function createJudge(options: {
  readonly objects: ReadonlyMap<NftKey, NftObject>;
  readonly places: Places;
  readonly policies: Iterable<Policy>;
}): Judge {
  const { objects, places, policies } = options;
  const walk = createWalker({ objects }, createLiveSetIndex(objects));
  const book = createPolicyBook(policies);
  const names = new Map<PodFacts, IfName>();
  const nameOf = (pod: PodFacts): IfName => {
    const name = names.get(pod) ?? hostIfName(pod.namespace, pod.name);
    names.set(pod, name);
    return name;
  };

  const find = (direction: Direction, flow: Flow): Finding => {
    const { from, to } = flow;
    if (isLoopback(flow)) return silent('loopback');
    const subject = direction === 'egress' ? from.pod : to.pod;
    if (subject === undefined) return silent('not-a-pod');
    const { hook, base, packet } = route(direction, flow, subject);
    if (hook === 'output') return silent('own-node');
    const entry = direction === 'egress' ? walk('prerouting', packet) : undefined;
    if (entry !== undefined && entry.verdict !== 'accept') {
      return { allowed: false, decision: decisionOf(entry.path, book), path: entry.path };
    }
    const result = walk(hook, packet);
    const own = stepsOf(base, result.path);
    const allowed = result.verdict === 'accept';
    const last = allowed ? own : lastSteps(result.path);
    return {
      allowed,
      decision: decisionOf(last, book),
      path: [...(entry?.path ?? []), ...own, ...(last[0] === own[0] ? [] : last)],
    };
  };

  const route = (direction: Direction, flow: Flow, subject: PodFacts) => {
    const common = commonFields(flow);
    const own = nameOf(subject);
    if (direction === 'egress') {
      return places.isOwnNode(subject, flow.to.ip)
        ? ({ hook: 'input', base: 'in_egress', packet: { ...common, iifname: own } } as const)
        : ({ hook: 'forward', base: 'fwd_egress', packet: { ...common, iifname: own, oifname: UPLINK } } as const);
    }
    return places.isOwnNode(subject, flow.from.ip)
      ? ({ hook: 'output', base: 'output', packet: { ...common, oifname: own } } as const)
      : ({ hook: 'forward', base: 'fwd_ingress', packet: { ...common, iifname: UPLINK, oifname: own } } as const);
  };

  const allows = (flow: Flow): boolean => {
    if (isLoopback(flow)) return true;
    const { from, to } = flow;
    const sent = from.pod === undefined ? undefined : route('egress', flow, from.pod);
    const received = to.pod === undefined ? undefined : route('ingress', flow, to.pod);
    if (sent?.hook === 'forward' && received?.hook === 'forward') {
      return passes(walk, 'forward', { ...sent.packet, oifname: received.packet.oifname });
    }
    return [sent, received].every((way) => way === undefined || passes(walk, way.hook, way.packet));
  };

  return { find, allows };
}

/** An interface that leads out of the node. Any that is not a pod's will do. */
const UPLINK = 'eth0';

const silent = (kind: Exclude<Decision['kind'], 'rule' | 'isolated'>): Finding => ({
  allowed: true,
  decision: { kind },
  path: [],
});

const isLoopback = ({ from, to }: Flow): boolean => from.ip === to.ip && from.pod === to.pod;

const passes = (walk: ReturnType<typeof createWalker>, hook: Hook['hook'], packet: WalkPacket): boolean =>
  walk(hook, packet).verdict === 'accept';

function commonFields({ from, to, protocol, port }: Flow) {
  const state = { saddr: from.ip, daddr: to.ip, ctState: 'new', ctDirection: 'original', ctMark: 0 } as const;
  if (protocol !== 'icmp') return { ...state, protocol, sport: CLIENT_PORT, dport: port ?? 0 };
  return ipFamily(from.ip) === 4
    ? { ...state, protocol: 'icmp' as const, icmpType: 8 }
    : { ...state, protocol: 'ipv6-icmp' as const, icmpType: 128 };
}

/** No rule looks at it. */
const CLIENT_PORT = 40_000;

/** The part of a path that begins in one base chain and ends where the next one begins. */
function stepsOf(base: string, path: readonly WalkStep[]): readonly WalkStep[] {
  const start = path.findIndex(({ chain }) => chain === base);
  if (start < 0) return [];
  const length = path.slice(start).findIndex(({ chain }) => isBase(chain) && chain !== base);
  return length < 0 ? path.slice(start) : path.slice(start, start + length);
}

/** Those of the base chain in which the path ends. */
function lastSteps(path: readonly WalkStep[]): readonly WalkStep[] {
  return path.slice(
    Math.max(
      0,
      path.findLastIndex(({ chain }) => isBase(chain)),
    ),
  );
}

const isBase = (chain: string): boolean => /^(fwd|in|raw)_/.test(chain);
