// Every combination of what a packet may be to conntrack, where it comes from, where it goes and what it is, walked through
// the rendered chains, and judged by a naive reading of the design beside it. Base chains accept what no rule leads away,
// so a rule that fails to ask about some kind of packet would be seen here as one that lets it in.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generationMark, REVOKED } from '../../felix/render/policy/generation.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { type Ip, ipFamily, parseIp } from '../../lib/ip.ts';
import { hostIfName } from '../../lib/linux/if-name.ts';
import type { Hook } from '../../lib/nftables/ast.ts';
import { createWalker, type WalkPacket } from '../../lib/nftables/walk.ts';
import { unwrap } from '../../lib/result.ts';
import { createPipeline } from './pipeline.ts';
import { policy, world } from './world-builder.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const OPEN = hostIfName('n', 'open');
const CLOSED = hostIfName('n', 'closed');
const UNKNOWN = 'mgy0123456789a';
const UPLINK = 'eth0';
const IPS = {
  4: {
    [OPEN]: ip('10.244.0.10'),
    [CLOSED]: ip('10.244.0.11'),
    other: ip('203.0.113.9'),
    service: ip('10.96.0.9'),
    node: ip('198.51.100.12'),
  },
  6: {
    [OPEN]: ip('fd00:10:244::10'),
    [CLOSED]: ip('fd00:10:244::11'),
    other: ip('2001:db8::9'),
    service: ip('fd00:96::9'),
    node: ip('fd00:198:51::12'),
  },
} as const;

const { show, renderer } = createPipeline();
show(
  world({
    pods: { 'n/open': {}, 'n/closed': { labels: { is: 'closed' } } },
    policies: [
      policy('n/none', { podSelector: { matchLabels: { is: 'closed' } }, policyTypes: ['Ingress', 'Egress'] }),
    ],
  }),
);
renderer.closeServices(['10.96.0.0/16', 'fd00:96::/112'].map((text) => unwrap(parseCidr(text))));
renderer.setNode('node2', [IPS[4].node, IPS[6].node]);
renderer.closeBgpPort('default', 1179);
renderer.apply({ sets: [], chains: [], profiles: [], endpoints: [], canRevoke: true });
const walk = createWalker({ objects: renderer.objects() });
const CURRENT = generationMark(renderer.generation());
const OURS = 0xffff_0000;

type Kind = Pick<WalkPacket, 'protocol' | 'sport' | 'dport' | 'icmpType'>;
const port = (protocol: 'tcp' | 'udp', dport: number): Kind => ({ protocol, sport: 4000, dport });
const KINDS: Readonly<Record<4 | 6, readonly Kind[]>> = {
  4: [
    ...[port('tcp', 80), port('udp', 80), port('udp', 4789), port('tcp', 179), port('udp', 179), port('tcp', 1179)],
    ...[port('udp', 3784), port('udp', 3785), port('udp', 4784), port('tcp', 3784)],
    ...[{ protocol: 'ipip' as const }, { protocol: 'ipv6' as const }, { protocol: 253 }],
    ...[0, 3, 5, 8, 11, 12, 13].map((icmpType): Kind => ({ protocol: 'icmp', icmpType })),
  ],
  6: [
    ...[
      port('tcp', 80),
      port('udp', 4789),
      port('tcp', 179),
      port('udp', 4784),
      { protocol: 'ipip' as const },
      { protocol: 'ipv6' as const },
    ],
    ...[0, 1, 127, 128, 130, 131, 133, 134, 135, 137, 143].map(
      (icmpType): Kind => ({ protocol: 'ipv6-icmp', icmpType }),
    ),
  ],
};
const STATES = ['new', 'established', 'related', 'invalid', 'untracked'] as const;
/** What begins a flow is its original direction; the others belong to no flow. */
const DIRECTIONS = {
  new: ['original'],
  established: ['original', 'reply'],
  related: ['original', 'reply'],
  invalid: ['original'],
  untracked: ['original'],
} as const;
/** Bits of others are set in some of them. */
const MARKS = [0, 0xffff, CURRENT, CURRENT + 0x4000, CURRENT - 0x1_0000, generationMark(REVOKED)];

const isPod = (name: string | undefined): name is string => name?.startsWith('mgy') === true;
/** A pod's way to itself through a Service is not for NetworkPolicy to close. */
const policyAllows = (pod: string, { iifname, oifname }: WalkPacket): boolean =>
  pod === OPEN || (pod === CLOSED && iifname === oifname);

type Outcome = { readonly verdict: string; readonly ctMark: number };

/** Design, section 6, in the words of a single packet. */
function expected(hook: Hook['hook'], packet: WalkPacket): Outcome {
  const { iifname, oifname, ctState, ctDirection, ctMark, protocol, icmpType, dport, saddr, daddr } = packet;
  const family = ipFamily(saddr);
  const drop: Outcome = { verdict: 'drop', ctMark };
  const tracked = ctState !== 'invalid' && ctState !== 'untracked';
  const generation = (ctMark & OURS) >>> 0;
  const judgedBefore = ctState === 'established' && generation === CURRENT;
  const isReply = ctState === 'established' && ctDirection === 'reply';
  const isRevokedReply = tracked && ctDirection === 'reply' && generation === generationMark(REVOKED);
  const type = icmpType ?? -1;
  const isError =
    (protocol === 'icmp' && [3, 4, 5, 11, 12].includes(type)) || (protocol === 'ipv6-icmp' && type >= 0 && type < 128);

  const isLinkLocal = /^fe[89ab]/.test(saddr);

  if (hook === 'prerouting') {
    const own = iifname === OPEN || iifname === CLOSED ? IPS[family][iifname] === saddr : false;
    const unnamed = saddr === '::' && protocol === 'ipv6-icmp' && [131, 135, 143].includes(type);
    return !isPod(iifname) || own || isLinkLocal || unnamed ? { verdict: 'accept', ctMark } : drop;
  }

  if (isPod(iifname) && !judgedBefore) {
    const discovery =
      hook === 'input' && protocol === 'ipv6-icmp' && [130, 131, 132, 133, 135, 136, 143].includes(type);
    if (!discovery) {
      if (hook === 'input' && protocol === 'ipv6-icmp' && (type === 134 || type === 137)) return drop;
      if (isRevokedReply) return drop;
      const sender = packet.ctSaddr?.[ctDirection];
      const ofOwnFlow =
        ctState === 'related' && (iifname === OPEN || iifname === CLOSED) && IPS[family][iifname] === sender;
      if (!isReply && !ofOwnFlow) {
        const isPartOfFlow = ctState === 'new' || ctState === 'established';
        if (isError && !isPartOfFlow) return drop;
        if (protocol === 'ipip' || protocol === 'ipv6' || (protocol === 'udp' && dport === 4789)) return drop;
        const bgp = protocol === 'tcp' && (dport === 179 || dport === 1179);
        const bfd = protocol === 'udp' && (dport === 3784 || dport === 3785 || dport === 4784);
        if ((bgp || bfd) && (hook === 'input' || daddr === IPS[family].node)) return drop;
        const loopback = daddr === '127.0.0.1' && !(tracked && packet.ctStatus === 'dnat');
        if (hook === 'input' && loopback) return drop;
        if (!policyAllows(iifname, packet)) return drop;
      }
    }
  }
  if (hook === 'forward' && isPod(oifname) && !judgedBefore) {
    if (isRevokedReply) return drop;
    if (!isReply && ctState !== 'related' && !policyAllows(oifname, packet)) return drop;
  }
  if (!tracked || generation === CURRENT) return { verdict: 'accept', ctMark };
  // Other links have the same addresses, so what is allowed on one says nothing of the flow.
  const ofFlow = ctState !== 'related' && ctDirection === 'original' && !isLinkLocal;
  const stamped = { verdict: 'accept', ctMark: (CURRENT | (ctMark & 0xffff)) >>> 0 };
  if (hook === 'forward' && isPod(oifname) && ofFlow) return stamped;
  if (hook === 'forward' && daddr === IPS[family].service) return drop;
  return isPod(iifname) && ofFlow ? stamped : { verdict: 'accept', ctMark };
}

function* packets(family: 4 | 6, hook: Hook['hook']): Generator<WalkPacket> {
  const own = IPS[family];
  const iifs = [OPEN, CLOSED, UNKNOWN, UPLINK];
  const oifs = hook === 'forward' ? iifs : [undefined];
  const odd =
    family === 4 ? [ip('0.0.0.0'), ip('169.254.1.1')] : [ip('::'), ip('fe80::9'), ip('febf::1'), ip('fec0::1')];
  const local = hook === 'input' && family === 6 ? [ip('fe80::9')] : [];
  const sources = hook === 'prerouting' ? [own[OPEN], own[CLOSED], own.other, ...odd] : [own[OPEN], ...local];
  const targets =
    hook === 'input' ? [own.other, ...(family === 4 ? [ip('127.0.0.1')] : [])] : [own.other, own.service, own.node];
  const senders = [undefined, own[OPEN] ?? own.other, own[CLOSED] ?? own.other];
  for (const iifname of iifs)
    for (const oifname of oifs)
      for (const saddr of sources)
        for (const daddr of hook === 'prerouting' ? [own.other] : targets)
          for (const kind of KINDS[family])
            for (const ctState of STATES)
              for (const ctDirection of DIRECTIONS[ctState])
                for (const ctMark of hook === 'prerouting' ? [0, CURRENT] : MARKS)
                  for (const sender of ctState === 'related' ? senders : [undefined])
                    for (const dnat of daddr === '127.0.0.1' ? [false, true] : [false])
                      yield {
                        iifname,
                        ...(oifname !== undefined && { oifname }),
                        saddr: saddr ?? own.other,
                        daddr,
                        ...kind,
                        ctState,
                        ctDirection,
                        ctMark,
                        ...(sender !== undefined && { ctSaddr: { original: sender, reply: sender } }),
                        ...(dnat && { ctStatus: 'dnat' as const }),
                      };
}

for (const hook of ['prerouting', 'forward', 'input'] as const) {
  for (const family of [4, 6] as const) {
    test(`every kind of packet fares at ${hook} as the design says, in IPv${family}`, (t) => {
      let count = 0;
      for (const packet of packets(family, hook)) {
        count++;
        const { verdict, ctMark } = walk(hook, packet);
        const wanted = expected(hook, packet);
        if (verdict === wanted.verdict && ctMark === wanted.ctMark) continue;
        assert.deepEqual({ verdict, ctMark }, wanted, JSON.stringify(packet));
      }
      assert.ok(count > 1000);
      t.diagnostic(`${count} packets`);
    });
  }
}
