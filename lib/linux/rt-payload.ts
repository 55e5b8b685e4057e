// Payloads of rtnetlink messages about addresses and neighbours, written and read by the package `netlink`, which knows
// their attributes. What every pod needs is written without it: routes in route-codec.ts, links in link-codec.ts.
import { AttrStream, rt } from 'netlink';

/** `struct ifaddrmsg` and attributes. */
export const addressPayload = (data: rt.Address, attrs: rt.AddressAttrs = {}): Uint8Array =>
  collect((out) => rt.formatAddressMessage({ kind: 'address', data, attrs }, out));

/** `struct ndmsg` and attributes. */
export const neighbourPayload = (data: rt.Neighbor, attrs: rt.NeighborAttrs = {}): Uint8Array =>
  collect((out) => rt.formatNeighborMessage({ kind: 'neighbor', data, attrs }, out));

/** `undefined`: too short to be one. */
export const readAddress = (payload: Uint8Array): rt.AddressMessage | undefined =>
  payload.length < rt.__LENGTH_Address ? undefined : rt.parseAddressMessage(bufferOf(payload));

export const readNeighbour = (payload: Uint8Array): rt.NeighborMessage | undefined =>
  payload.length < rt.__LENGTH_Neighbor ? undefined : rt.parseNeighborMessage(bufferOf(payload));

function collect(write: (out: AttrStream) => void): Uint8Array {
  const out = new AttrStream();
  write(out);
  return Buffer.concat(out.bufs);
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
