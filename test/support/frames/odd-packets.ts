// Packets of every odd kind by which somebody may try to pass policy by: fragments, extension headers and options, TCP
// out of order, protocols and tunnels.
import { randomBytes } from 'node:crypto';
import { type Family, type Ip, ipFamily, ipToBytes } from '../../../lib/ip.ts';
import * as raw from './raw-frame.ts';

let lastPort = 20_000;
const nextPort = (): number => lastPort++;
/** A connection that nobody has had before. */
export const ports = (dport: number): raw.Ports => ({ sport: nextPort(), dport });

/**
 * The packets of a family, with `payload` in them to be known by; absent: there are none of this kind. `node` is the
 * address of the router that both ends have. `arrives`: families in which they reach somebody who is open; absent: both.
 */
export type OddPacket = {
  readonly name: string;
  readonly packets: (both: raw.Addresses, payload: Buffer, node: Ip) => readonly Buffer[] | undefined;
  readonly arrives?: readonly Family[];
};

const { udp, tcp, icmp: icmpOf } = raw;
const { UDP, TCP } = { UDP: raw.PROTOCOL.udp, TCP: raw.PROTOCOL.tcp };
const isV4 = ({ saddr }: raw.Addresses): boolean => ipFamily(saddr) === 4;
const withExtensions =
  (...extensions: readonly raw.Extension[]): OddPacket['packets'] =>
  (both, payload) =>
    isV4(both) ? undefined : [raw.ipv6(both, UDP, udp(both, ports(80), payload), { extensions })];
const withFlags =
  (flags: number): OddPacket['packets'] =>
  (both, payload) => [raw.packet(both, TCP, tcp(both, ports(80), flags, payload))];
const cut = (both: raw.Addresses, protocol: number, whole: Buffer, ...places: readonly number[]): readonly Buffer[] => {
  const id = randomBytes(2).readUInt16BE();
  const starts = [0, ...places];
  return starts.map((offset, index) => {
    const last = index === starts.length - 1;
    const part = whole.subarray(offset, starts[index + 1] ?? whole.length);
    return isV4(both)
      ? raw.ipv4(both, protocol, part, { fragment: { id, offset, last } })
      : raw.ipv6(both, protocol, part, { extensions: [raw.fragment6({ id, offset, last })] });
  });
};
const wide = (payload: Buffer): Buffer => Buffer.concat([Buffer.alloc(64), payload]);
const { hopByHop, routing, authentication, destination } = raw.EXTENSION;
const six = Buffer.alloc(6);
const option = (kind: number, body: Buffer = six): raw.Extension => ({ kind, body });

export const ODD_PACKETS: readonly OddPacket[] = [
  { name: 'a datagram', packets: (both, payload) => [raw.packet(both, UDP, udp(both, ports(80), payload))] },
  {
    name: 'a datagram in pieces',
    packets: (both, payload) => cut(both, UDP, udp(both, ports(80), wide(payload)), 16, 48),
  },
  {
    name: 'pieces in reverse',
    packets: (both, payload) => [...cut(both, UDP, udp(both, ports(80), wide(payload)), 16, 48)].reverse(),
  },
  {
    name: 'a TCP header in pieces',
    // RFC 7112: the first piece of an IPv6 packet has all headers.
    arrives: [4],
    packets: (both, payload) => cut(both, TCP, tcp(both, ports(80), raw.TCP_FLAGS.syn, wide(payload)), 8, 16),
  },
  {
    name: 'the end of a datagram without its beginning',
    arrives: [],
    packets: (both, payload) => cut(both, UDP, udp(both, ports(80), wide(payload)), 16).slice(1),
  },
  {
    name: 'a piece over the header of another port',
    arrives: [],
    packets: (both, payload) => {
      const [first, second] = cut(both, UDP, udp(both, ports(53), wide(payload)), 32);
      const over = cut(both, UDP, udp(both, ports(80), wide(payload)), 32)[0];
      return first && second && over ? [first, isV4(both) ? sameId(first, over) : over, second].slice(0, 2) : undefined;
    },
  },
  { name: 'a SYN', packets: withFlags(raw.TCP_FLAGS.syn) },
  { name: 'an ACK out of nowhere', packets: withFlags(raw.TCP_FLAGS.ack) },
  { name: 'a SYN and ACK out of nowhere', packets: withFlags(raw.TCP_FLAGS.syn | raw.TCP_FLAGS.ack) },
  { name: 'a RST', packets: withFlags(raw.TCP_FLAGS.rst) },
  { name: 'a FIN', packets: withFlags(raw.TCP_FLAGS.fin) },
  { name: 'TCP without a flag', packets: withFlags(0) },
  {
    name: 'an echo reply that nobody asked for',
    packets: (both, payload) => [
      raw.packet(
        both,
        isV4(both) ? 1 : 58,
        icmpOf(both, isV4(both) ? 0 : 129, 0, Buffer.concat([Buffer.alloc(4), payload])),
      ),
    ],
  },
  {
    name: 'an error about a connection that there is not',
    arrives: [],
    packets: (both, payload) => {
      const back = { saddr: both.daddr, daddr: both.saddr };
      return [raw.portUnreachable(both, raw.packet(back, UDP, udp(back, ports(80), payload)))];
    },
  },
  { name: 'a protocol that nobody knows', packets: (both, payload) => [raw.packet(both, 253, payload)] },
  {
    name: 'GRE',
    packets: (both, payload) => [
      raw.packet(both, raw.PROTOCOL.gre, Buffer.concat([Buffer.from([0, 0, 8, 0]), payload])),
    ],
  },
  {
    name: 'IP in IP',
    arrives: [],
    packets: (both, payload) => [
      raw.packet(both, raw.PROTOCOL.ipip, raw.packet(both, UDP, udp(both, ports(80), payload))),
    ],
  },
  {
    name: 'VXLAN',
    arrives: [],
    packets: (both, payload) => [raw.packet(both, UDP, udp(both, ports(4789), payload))],
  },
  {
    name: 'VXLAN in pieces',
    arrives: [],
    packets: (both, payload) => cut(both, UDP, udp(both, ports(4789), wide(payload)), 8),
  },
  { name: 'destination options', packets: withExtensions(option(destination)) },
  { name: 'hop-by-hop options', packets: withExtensions(option(hopByHop, Buffer.from([1, 4, 0, 0, 0, 0]))) },
  { name: 'an atomic fragment', packets: withExtensions(raw.fragment6({ id: 5, offset: 0, last: true })) },
  {
    name: 'options behind options',
    packets: withExtensions(
      option(destination, Buffer.from([1, 4, 0, 0, 0, 0])),
      option(destination, Buffer.from([1, 4, 0, 0, 0, 0])),
    ),
  },
  { name: 'an authentication header', packets: withExtensions(option(authentication, Buffer.alloc(22))) },
  {
    name: 'a routing header with nothing left',
    packets: withExtensions(option(routing, Buffer.from([4, 0, 0, 0, 0, 0]))),
  },
  {
    name: 'a record of the route',
    packets: (both, payload) =>
      isV4(both)
        ? [raw.ipv4(both, UDP, udp(both, ports(80), payload), { options: Buffer.from([7, 7, 4, 0, 0, 0, 0]) })]
        : undefined,
  },
  {
    name: 'a loose source route by the node',
    arrives: [],
    packets: (both, payload, node) => {
      if (!isV4(both)) return undefined;
      const byNode = { saddr: both.saddr, daddr: node };
      const route = Buffer.concat([Buffer.from([131, 7, 4]), ipToBytes(both.daddr)]);
      return [raw.ipv4(byNode, UDP, udp(both, ports(80), payload), { options: route })];
    },
  },
];

const sameId = (from: Buffer, to: Buffer): Buffer => {
  const copy = Buffer.from(to);
  from.copy(copy, 4, 4, 6);
  return copy;
};
