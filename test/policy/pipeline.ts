// Worlds through the compiler: model, renderer and packet walker, as on a node that runs every pod of the world.

import { FIRST_GENERATION } from '../../felix/render/policy/generation.ts';
import { createPolicyRenderer, type RenderOptions } from '../../felix/render/policy/policy-renderer.ts';
import type { PolicyRenderer } from '../../felix/render/policy/types.ts';
import { type Ip, ipFamily } from '../../lib/ip.ts';
import { hostIfName } from '../../lib/linux/if-name.ts';
import type { Hook, NftChange } from '../../lib/nftables/ast.ts';
import { createWalker, type WalkPacket, type WalkResult } from '../../lib/nftables/walk.ts';
import { convertPolicy } from '../../policy/convert/policy.ts';
import { createPolicyModel } from '../../policy/model/policy-model.ts';
import type { Packet, World } from '../../policy/oracle.ts';
import { type PodFacts, type PodKey, podKey } from '../../policy/world.ts';

export type Pipeline = {
  /** Makes this the world, by what differs from the one before, and answers what changes in the table. */
  readonly show: (world: World) => readonly NftChange[];
  readonly renderer: PolicyRenderer;
  /** A judge of packets in the world that is shown now. */
  readonly judge: () => (packet: Packet) => WalkedJudgement;
};

/** `combined`: on the whole way; the directions: as if the other end were on another node. */
export type WalkedJudgement = { readonly egress: boolean; readonly ingress: boolean; readonly combined: boolean };

export function createPipeline(rendering: Omit<RenderOptions, 'generation'> = {}): Pipeline {
  const model = createPolicyModel();
  const renderer = createPolicyRenderer({ generation: FIRST_GENERATION, ...rendering });
  let shown: World = { namespaces: new Map(), pods: [], policies: [] };

  const show = (world: World): readonly NftChange[] => {
    const gone = <T>(before: readonly T[], after: readonly T[], key: (item: T) => string): readonly T[] => {
      const kept = new Set(after.map(key));
      return before.filter((item) => !kept.has(key(item)));
    };
    for (const pod of gone(shown.pods, world.pods, keyOf)) {
      model.setPod(keyOf(pod), undefined);
      model.setEndpoint(hostIfName(pod.namespace, pod.name), undefined);
    }
    for (const policy of gone(shown.policies.map(convertPolicy), world.policies.map(convertPolicy), ({ key }) => key)) {
      model.setPolicy(policy.key, undefined);
    }
    for (const name of shown.namespaces.keys()) if (!world.namespaces.has(name)) model.setNamespace(name, undefined);
    for (const name of shown.nodes?.keys() ?? []) {
      if (world.nodes?.has(name)) continue;
      model.setNode(name, undefined);
      renderer.setNode(name, []);
    }
    for (const [name, ips] of world.nodes ?? []) {
      model.setNode(name, { ips, labels: world.nodeLabels?.get(name) ?? {} });
      renderer.setNode(name, ips);
    }
    for (const [name, labels] of world.namespaces) model.setNamespace(name, labels);
    for (const pod of world.pods) {
      const { namespace, name, ips, hostNetwork } = pod;
      model.setPod(keyOf(pod), pod);
      model.setEndpoint(hostIfName(namespace, name), hostNetwork ? undefined : { namespace, pod: name, ips });
    }
    for (const policy of world.policies.map(convertPolicy)) model.setPolicy(policy.key, policy);
    shown = world;
    return renderer.apply(model.drain());
  };

  return {
    show,
    renderer,
    judge: () => {
      const walk = createWalker({ objects: renderer.objects() });
      // Anti-spoofing looks at nothing else of a packet here.
      const entering = new Map<string, boolean>();
      const enters = (ip: Ip, iifname: string): boolean => {
        const key = `${ip} ${iifname}`;
        const known = entering.get(key) ?? walk('prerouting', entryOf(ip, iifname)).verdict === 'accept';
        entering.set(key, known);
        return known;
      };
      return (packet) => judge(shown, { walk, enters }, packet);
    },
  };
}

type Walk = (hook: Hook['hook'], packet: WalkPacket) => WalkResult;
type Walks = { readonly walk: Walk; readonly enters: (ip: Ip, iifname: string) => boolean };
type End = { readonly ip: Ip; readonly pod: PodFacts | undefined };

const keyOf = ({ namespace, name }: PodFacts): PodKey => podKey(namespace, name);
const OUTSIDE = 'eth0';

const entryOf = (ip: Ip, iifname: string): WalkPacket => ({
  iifname,
  saddr: ip,
  daddr: ip,
  protocol: 'tcp',
  sport: 40_000,
  dport: 80,
  ctState: 'new',
  ctDirection: 'original',
  ctMark: 0,
});

function judge(world: World, { walk, enters }: Walks, packet: Packet): WalkedJudgement {
  const ends = endsOf(world, packet);
  if (ends === undefined) return { egress: false, ingress: false, combined: false };
  const { from, to } = ends;
  const toItself = from.pod !== undefined && from.ip === to.ip && from.pod === to.pod;
  // It never leaves the pod's namespace.
  if (toItself && packet.hairpin === undefined) return { egress: true, ingress: true, combined: true };
  const common = commonFields(packet, ends);
  const [iifname, oifname] = [from, to].map(({ pod }) =>
    pod === undefined ? OUTSIDE : hostIfName(pod.namespace, pod.name),
  );
  if (iifname === undefined || oifname === undefined) throw new Error('Cannot happen');
  const passes = (hook: Hook['hook'], names: Pick<WalkPacket, 'iifname' | 'oifname'>): boolean =>
    (names.iifname === OUTSIDE || enters(from.ip, iifname)) && walk(hook, { ...common, ...names }).verdict === 'accept';
  if (to.pod !== undefined && isOwnNode(world, to.pod, from.ip)) {
    const sent = walk('output', { ...common, oifname }).verdict === 'accept';
    return { egress: true, ingress: sent, combined: sent };
  }
  if (from.pod !== undefined && isOwnNode(world, from.pod, to.ip)) {
    const sent = passes('input', { iifname });
    return { egress: sent, ingress: true, combined: sent };
  }
  const combined = passes('forward', { iifname, oifname });
  // The base chains of the two directions see the same packet, so only a denial needs to be told apart.
  if (combined || toItself) return { egress: combined, ingress: combined, combined };
  return {
    egress: passes('forward', { iifname, oifname: OUTSIDE }),
    ingress: passes('forward', { iifname: OUTSIDE, oifname }),
    combined,
  };
}

function commonFields({ protocol, port, portName }: Packet, { from, to }: Ends) {
  const named = to.pod?.ports.find((one) => one.name === portName && one.protocol === protocol)?.port;
  const state = { saddr: from.ip, daddr: to.ip, ctState: 'new', ctDirection: 'original', ctMark: 0 } as const;
  if (protocol !== 'icmp') return { ...state, protocol, sport: 40_000, dport: port ?? named ?? 0 };
  return ipFamily(from.ip) === 4
    ? { ...state, protocol: 'icmp' as const, icmpType: 8 }
    : { ...state, protocol: 'ipv6-icmp' as const, icmpType: 128 };
}

type Ends = { readonly from: End; readonly to: End };

function endsOf(world: World, { from, to, family }: Packet): Ends | undefined {
  for (const one of family === undefined ? ([4, 6] as const) : [family]) {
    const [source, target] = [from, to].map((end): End | undefined => {
      if ('ip' in end) {
        const pod = world.pods.find(
          ({ ips, hostNetwork, finished }) => !hostNetwork && !finished && ips.includes(end.ip),
        );
        return ipFamily(end.ip) === one ? { ip: end.ip, pod } : undefined;
      }
      const pod = world.pods.find((facts) => keyOf(facts) === end.pod);
      const ip = pod?.ips.find((own) => ipFamily(own) === one);
      return ip && { ip, pod: pod?.hostNetwork ? undefined : pod };
    });
    if (source !== undefined && target !== undefined) return { from: source, to: target };
  }
  return undefined;
}

function isOwnNode(world: World, { node }: PodFacts, ip: Ip): boolean {
  return node !== undefined && (world.nodes?.get(node)?.includes(ip) ?? false);
}
