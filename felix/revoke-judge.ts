// Whether a tracked flow is one that policy would let begin now. The rendered rules are walked as its first packet would
// walk them, so that what is judged here and what the kernel does cannot differ. Pure.
import type { Cidr } from '../lib/cidr.ts';
import { cidrContains } from '../lib/cidr.ts';
import type { Ip } from '../lib/ip.ts';
import type { Flow } from '../lib/linux/conntrack-codec.ts';
import type { IfName } from '../lib/linux/if-name.ts';
import type { L4Proto, NftKey, NftObject } from '../lib/nftables/ast.ts';
import { createWalker, type WalkPacket } from '../lib/nftables/walk.ts';
import { createLiveSetIndex } from '../lib/nftables/walk-live-sets.ts';

/**
 * `foreign`: no pod of this node takes part, or the node itself began it, which is never policed. `orphaned`: an address
 * of this node's blocks takes part that no pod has now.
 */
export type FlowJudgement = 'foreign' | 'allowed' | 'denied' | 'orphaned';

export type FlowWorld = {
  readonly objects: ReadonlyMap<NftKey, NftObject>;
  readonly endpoints: Iterable<{ readonly ifName: IfName; readonly ips: readonly Ip[] }>;
  /** Blocks whose addresses only pods of this node have. */
  readonly blocks: readonly Cidr[];
  /** All addresses of the node's own interfaces. */
  readonly localAddresses: ReadonlySet<Ip>;
};

/** Good until the world changes. @throws Error when the rules hold what the walker cannot evaluate */
export function createFlowJudge(world: FlowWorld): (flow: Flow) => FlowJudgement {
  const { objects, endpoints, blocks, localAddresses } = world;
  const walk = createWalker({ objects }, createLiveSetIndex(objects));
  const interfaces = new Map<Ip, IfName>();
  for (const { ifName, ips } of endpoints) for (const ip of ips) interfaces.set(ip, ifName);

  const orphans = new Map<Ip, boolean>();
  const orphan = (ip: Ip): boolean => {
    const known = orphans.get(ip);
    if (known !== undefined) return known;
    const is = !interfaces.has(ip) && !localAddresses.has(ip) && blocks.some((block) => cidrContains(block, ip));
    orphans.set(ip, is);
    return is;
  };
  const verdicts = new Map<string, FlowJudgement>();

  return ({ protocol, original, reply, status }) => {
    // Policy sees packets behind the translation of the destination and before that of the source.
    const [saddr, daddr] = [original.src, reply.src];
    if (orphan(saddr) || orphan(daddr) || orphan(original.dst)) return 'orphaned';
    if (localAddresses.has(saddr)) return 'foreign';
    const [iif, oif] = [interfaces.get(saddr), interfaces.get(daddr)];
    if (iif === undefined && oif === undefined) return 'foreign';
    const translated = (status & DST_NAT) !== 0;
    const key = `${saddr} ${daddr} ${protocol} ${reply.ports?.src ?? original.icmp?.type} ${translated}`;
    const known = verdicts.get(key);
    if (known !== undefined) return known;

    const toNode = localAddresses.has(daddr);
    const sport = original.ports?.src;
    const dport = reply.ports?.src;
    let asked = false;
    const { verdict } = walk(toNode ? 'input' : 'forward', {
      iifname: iif ?? ELSEWHERE,
      ...(toNode ? {} : { oifname: oif ?? ELSEWHERE }),
      saddr,
      daddr,
      protocol: PROTOCOLS[protocol] ?? protocol,
      get sport() {
        asked = true;
        return sport;
      },
      ...(dport === undefined ? {} : { dport }),
      ...(original.icmp === undefined ? {} : { icmpType: original.icmp.type }),
      ctState: 'new',
      ctDirection: 'original',
      ctMark: 0,
      ...(translated ? { ctStatus: 'dnat' } : {}),
    } as WalkPacket);
    const judgement = verdict === 'accept' ? 'allowed' : 'denied';
    // What was found without a look at the source port holds for every source port.
    if (!asked && verdicts.size < REMEMBERED) verdicts.set(key, judgement);
    return judgement;
  };
}

const REMEMBERED = 100_000;

/** IPS_DST_NAT of enum ip_conntrack_status (include/uapi/linux/netfilter/nf_conntrack_common.h). */
const DST_NAT = 0x20;

/** Any interface that is no pod's. */
const ELSEWHERE = 'uplink';

/** Words that rules and sets use for protocols. */
const PROTOCOLS: Readonly<Record<number, L4Proto>> = {
  1: 'icmp',
  4: 'ipip',
  6: 'tcp',
  17: 'udp',
  47: 'gre',
  50: 'esp',
  58: 'ipv6-icmp',
  132: 'sctp',
};
