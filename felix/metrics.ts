// What a monitoring system reads of this agent: sessions, routes, repairs, drain and drops, as they are now.
import type { BgpPeersView, BgpPeerView } from '../bgp/view.ts';
import type { Metric, Sample } from '../lib/metrics-text.ts';
import { printMetrics } from '../lib/metrics-text.ts';
import type { Nftables } from '../lib/nftables/nfnetlink.ts';
import { bgpPeers } from './bgp-view/documents.ts';
import type { BgpParts } from './bgp-view/parts.ts';
import type { Effects } from './effects.ts';
import { BASE_COUNTERS, POLICY_TABLE } from './render/policy/names.ts';

/** The body of `GET /metrics`. @throws BgpError, KernelError */
export async function metricsText(
  parts: BgpParts,
  effects: Pick<Effects, 'failures' | 'repairs'>,
  nft: Pick<Nftables, 'counters'>,
): Promise<string> {
  const view = await bgpPeers(parts);
  const dropped = dropMetrics(nft.counters(POLICY_TABLE.name));
  return printMetrics([...speakerMetrics(view), ...peerMetrics(view), ...routeMetrics(parts, effects), dropped]);
}

/** The kernel keeps these counts, over a replacement of the table too. */
const dropMetrics = (counters: ReturnType<Nftables['counters']>): Metric =>
  counter(
    'dropped_packets',
    'What is dropped of pods whatever policy allows, by what was wrong with it.',
    Object.entries(BASE_COUNTERS).map(([reason, name]) => ({
      labels: { reason },
      value: Number(counters.get(name)?.packets ?? 0n),
    })),
  );

const gauge = (name: string, help: string, samples: readonly Sample[]): Metric => ({
  name: `margay_${name}`,
  help,
  type: 'gauge',
  samples,
});
const counter = (name: string, help: string, samples: readonly Sample[]): Metric => ({
  ...gauge(`${name}_total`, help, samples),
  type: 'counter',
});
const one = (value: number | boolean): readonly Sample[] => [{ labels: {}, value: Number(value) }];

const speakerMetrics = ({ connected, settled, drain }: BgpPeersView): readonly Metric[] => [
  gauge('bgp_connected', 'Whether gobgpd answers.', one(connected)),
  gauge('bgp_settled', 'Whether every peer has told all it knows, or nobody waits for it any more.', one(settled)),
  gauge(
    'bgp_drain',
    'Whether the node is relieved of its traffic, by stage.',
    (['announced', 'withdrawn'] as const).map((stage) => ({ labels: { stage }, value: Number(drain === stage) })),
  ),
];

function peerMetrics({ peers }: BgpPeersView): readonly Metric[] {
  const of = (value: (peer: BgpPeerView) => number | undefined): readonly Sample[] =>
    peers.flatMap((peer) => {
      const found = value(peer);
      return found === undefined ? [] : [{ labels: labelsOf(peer), value: found }];
    });
  const byFamily = (value: (counts: BgpPeerView['families'][number]) => number): readonly Sample[] =>
    peers.flatMap((peer) =>
      peer.families.map((counts) => ({
        labels: { ...labelsOf(peer), family: `ipv${counts.family}` },
        value: value(counts),
      })),
    );
  return [
    gauge(
      'bgp_peer_up',
      'Whether the session is established.',
      of(({ state }) => Number(state === 'established')),
    ),
    gauge(
      'bgp_peer_state',
      'State of the session machine (RFC 4271 section 8.2.2); 1 for the one it is in.',
      peers.map((peer) => ({ labels: { ...labelsOf(peer), state: peer.state }, value: 1 })),
    ),
    gauge(
      'bgp_peer_since_seconds',
      'When the session was established or lost, in seconds since 1970.',
      of(({ since }) => (since === undefined ? undefined : Date.parse(since) / 1000)),
    ),
    counter(
      'bgp_peer_flaps',
      'How often the session was lost.',
      of(({ flaps }) => flaps),
    ),
    gauge(
      'bgp_peer_prefixes_received',
      'Prefixes that the peer sends.',
      byFamily(({ received }) => received),
    ),
    gauge(
      'bgp_peer_prefixes_accepted',
      'Those that filters and import rules let through.',
      byFamily(({ accepted }) => accepted),
    ),
    gauge(
      'bgp_peer_prefixes_advertised',
      'Prefixes that the peer is told.',
      byFamily(({ advertised }) => advertised),
    ),
    gauge(
      'bgp_peer_end_of_rib',
      'Whether the peer has told all it knows (RFC 4724).',
      byFamily(({ endOfRib }) => Number(endOfRib)),
    ),
    gauge(
      'bgp_peer_prefix_limit',
      'Prefixes of one family that the peer may send.',
      of(({ limit }) => limit),
    ),
    gauge(
      'bgp_peer_over_limit',
      'Whether the session is held down by the limit.',
      of(({ overLimit }) => Number(overLimit)),
    ),
    gauge(
      'bgp_peer_bfd_up',
      'Whether BFD is up, where it is wanted.',
      of(({ bfd }) => (bfd === undefined ? undefined : Number(bfd === 'up'))),
    ),
    gauge(
      'bgp_peer_hints',
      'What is the matter with the session, as "margay bgp peers" says it.',
      of(({ hints }) => hints.length),
    ),
  ];
}

const labelsOf = ({ name, address, asn, type }: BgpPeerView) => ({ peer: name, address, asn: String(asn), type });

function routeMetrics({ model, gobgp }: BgpParts, effects: Pick<Effects, 'failures' | 'repairs'>): readonly Metric[] {
  const { routing } = model;
  const kinds = Map.groupBy(routing.routes.entries().values(), ({ kind }) => kind);
  const { routeProblems, repairs } = { routeProblems: effects.failures().length, repairs: effects.repairs() };
  return [
    gauge(
      'routes',
      'Routes that the kernel is to have, by kind.',
      (['learned', 'endpoint', 'blackhole', 'static'] as const).map((kind) => ({
        labels: { kind },
        value: kinds.get(kind)?.length ?? 0,
      })),
    ),
    gauge(
      'bgp_paths_rejected',
      'Learned paths that import rules refuse, or that lead nowhere.',
      one(routing.learned().rejected.length),
    ),
    gauge(
      'routes_unreachable',
      'Routes of an earlier life whose next hops cannot be reached.',
      one(routing.unreachable().size),
    ),
    gauge('effect_failures', 'Rules and routes that the kernel refuses now.', one(routeProblems)),
    gauge(
      'bgp_problems',
      'Sentences that gobgpd gives cause to; "margay bgp peers" and status have them.',
      one(gobgp.problems().length),
    ),
    counter(
      'repairs',
      'How often what somebody else changed was put right.',
      Object.entries(repairs).map(([what, value]) => ({ labels: { what }, value })),
    ),
  ];
}
