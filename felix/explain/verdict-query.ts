// What somebody asks about a connection, as words on a command line or in a URL.
import type { Family } from '../../lib/ip.ts';
import { parseIp } from '../../lib/ip.ts';
import { err, ok, type Result } from '../../lib/result.ts';
import type { Protocol } from '../../policy/ir.ts';
import type { PacketEnd } from '../../policy/oracle.ts';
import { podKey } from '../../policy/world.ts';

/**
 * `number` 1 to 65535, or the `name` that the destination declares, without `protocol` with any. ICMP has neither.
 */
export type PortSpec =
  | { readonly protocol: Protocol; readonly number: number }
  | { readonly protocol?: Protocol; readonly name: string }
  | { readonly protocol: 'icmp' };

/** Absent `family`: IPv4 where both ends have it, else IPv6. */
export type VerdictQuery = {
  readonly from: PacketEnd;
  readonly to: PacketEnd;
  readonly port: PortSpec;
  readonly family?: Family;
};

/** The words as they come: all of them text, and any of them absent. */
export type VerdictWords = {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly port?: string | undefined;
  readonly protocol?: string | undefined;
  readonly family?: string | undefined;
};

/** The error names the word that cannot be used. */
export function parseVerdictQuery({ from, to, port, protocol, family }: VerdictWords): Result<VerdictQuery> {
  const source = parseEnd('from', from);
  if (!source.ok) return source;
  const target = parseEnd('to', to);
  if (!target.ok) return target;
  const spec = parsePortWords(port, protocol);
  if (!spec.ok) return spec;
  if (family !== undefined && family !== '4' && family !== '6') {
    return err(`Cannot use family "${family}": no such family, expected 4 or 6`);
  }
  const common = { from: source.value, to: target.value, port: spec.value };
  return ok(family === undefined ? common : { ...common, family: family === '4' ? 4 : 6 });
}

/** `80/tcp`, `http/udp`, `icmp`; without a protocol a number is of TCP, and a name of any. */
export function parsePortSpec(text: string): Result<PortSpec> {
  if (text.toLowerCase() === 'icmp') return ok({ protocol: 'icmp' });
  const [port = '', protocolText, ...more] = text.split('/');
  const protocol = parseProtocol(protocolText ?? 'tcp');
  if (!protocol.ok || protocol.value === 'icmp' || more.length > 0) {
    return err(`Cannot parse port "${text}": malformed, expected PORT/PROTOCOL such as 80/tcp or http/tcp, or icmp`);
  }
  if (/^\d+$/.test(port)) {
    const number = Number(port);
    if (number >= 1 && number <= 65535) return ok({ protocol: protocol.value, number });
    return err(`Cannot parse port "${text}": ${port} is out of range, expected 1 to 65535`);
  }
  // With a letter, as port names have one: `80-90` is a range, and no connection has that.
  if (/^(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/.test(port)) {
    return ok(protocolText === undefined ? { name: port } : { protocol: protocol.value, name: port });
  }
  return err(`Cannot parse port "${text}": malformed, expected a number from 1 to 65535 or the name of a port`);
}

/** `NAMESPACE/POD`, `POD` in namespace `default`, or an address. `word` is what the end is called in an error. */
function parseEnd(word: string, text: string | undefined): Result<PacketEnd> {
  if (text === undefined || text === '') return err(`Cannot judge a connection: "${word}" is missing, expected ${END}`);
  const ip = parseIp(text);
  if (ip.ok) return ok({ ip: ip.value });
  const match = /^(?:([a-z0-9-]+)\/)?([a-z0-9][a-z0-9.-]*)$/.exec(text);
  // What looks like an address and is none is a typing error, not the name of a pod.
  if (match === null || /^[\d.]+$/.test(text)) {
    return err(`Cannot judge a connection: "${word}" is "${text}", expected ${END}`);
  }
  const [, namespace = 'default', name = ''] = match;
  return ok({ pod: podKey(namespace, name) });
}

const END = 'NAMESPACE/POD or an address';

function parsePortWords(port: string | undefined, protocolText: string | undefined): Result<PortSpec> {
  const protocol = protocolText === undefined ? undefined : parseProtocol(protocolText);
  if (protocol !== undefined && !protocol.ok) return protocol;
  if (protocol?.value === 'icmp' || (protocol === undefined && port === 'icmp')) {
    if (port === undefined || port === 'icmp') return ok({ protocol: 'icmp' });
    return err(`Cannot judge port "${port}": protocol is icmp, expected no port`);
  }
  if (port === undefined || port === '') {
    return err(`Cannot judge a connection: "port" is missing, expected a number, the name of a port, or protocol icmp`);
  }
  const spec = parsePortSpec(port.includes('/') || protocol === undefined ? port : `${port}/${protocol.value}`);
  if (spec.ok && protocol !== undefined && 'protocol' in spec.value && spec.value.protocol !== protocol.value) {
    return err(`Cannot judge port "${port}": protocol is ${protocol.value}, expected the same one in both`);
  }
  return spec;
}

function parseProtocol(text: string): Result<Protocol | 'icmp'> {
  const name = text.toLowerCase();
  if (name === 'tcp' || name === 'udp' || name === 'sctp' || name === 'icmp') return ok(name);
  return err(`Cannot use protocol "${text}": not known, expected tcp, udp, sctp or icmp`);
}
