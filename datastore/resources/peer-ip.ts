// `peerIP` of a BGPPeer: an address, with a port after it when it is not the usual one.
import { z } from 'zod';
import { type Ip, parseIp } from '../../lib/ip.ts';
import { err, ok, type Result } from '../../lib/result.ts';

/** `port` is absent when the text names none. */
export type PeerAddress = { readonly address: Ip; readonly port?: number };

/** Reads `ADDRESS`, `ADDRESS:PORT` (IPv4) or `[ADDRESS]:PORT`. */
export function parsePeerAddress(text: string): Result<PeerAddress> {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  const address = parseIp(match?.[1] ?? match?.[2] ?? text);
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (!address.ok || (port !== undefined && (port < 1 || port > 65535))) {
    return err(`"${text}" is not a peer address, expected ADDRESS, ADDRESS:PORT or [IPV6]:PORT`);
  }
  if (!isHost(address.value)) return err(`"${text}" is not the address of a router, expected a unicast address`);
  return ok({ address: address.value, ...(port === undefined ? {} : { port }) });
}

// Unspecified, loopback, multicast and broadcast; link-local IPv6 would need an interface beside it.
const isHost = (ip: Ip): boolean =>
  ip.includes(':') ? !/^(::1?$|ff|fe[89ab])/.test(ip) : !/^(0|127|22[4-9]|23\d|24\d|25\d)\./.test(ip);

/** Stays text, because it names a port too. */
export const peerIpSchema = z.string().check((context) => {
  const parsed = parsePeerAddress(context.value);
  if (!parsed.ok) context.issues.push({ code: 'custom', message: parsed.error, input: context.value });
});
