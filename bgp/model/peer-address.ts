// `peerIP` of a BGPPeer: an address, with a port after it when it is not the usual one.
import { type Ip, parseIp } from '../../lib/ip.ts';
import { err, ok, type Result } from '../../lib/result.ts';

/** The BGP port, RFC 4271 §8. */
export const BGP_PORT = 179;

/** Reads `ADDRESS`, `ADDRESS:PORT` (IPv4) or `[ADDRESS]:PORT`. Without a port: 179. */
export function parsePeerAddress(text: string): Result<{ readonly address: Ip; readonly port: number }> {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  const address = parseIp(match?.[1] ?? match?.[2] ?? text);
  const port = Number(match?.[3] ?? BGP_PORT);
  if (!address.ok || port < 1 || port > 65535) {
    return err(`Cannot parse peer address "${text}": expected ADDRESS, ADDRESS:PORT or [IPV6]:PORT`);
  }
  return ok({ address: address.value, port });
}
