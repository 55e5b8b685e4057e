// Payloads of rtnetlink messages about links, addresses and neighbours, written and read by the package `netlink`, which
// knows their attributes. What must be quick has a codec of its own: routes in route-codec.ts, reading links in
// link-codec.ts.
import { AttrStream, ifla, rt } from 'netlink';

/** `struct ifinfomsg` and attributes. */
export const linkPayload = (data: rt.Link, attrs: ifla.LinkAttrs = {}): Uint8Array =>
  collect((out) => rt.formatLinkMessage({ kind: 'link', data, attrs }, out));

/** `struct ifaddrmsg` and attributes. */
export const addressPayload = (data: rt.Address, attrs: rt.AddressAttrs = {}): Uint8Array =>
  collect((out) => rt.formatAddressMessage({ kind: 'address', data, attrs }, out));

/** `struct ndmsg` and attributes. */
export const neighbourPayload = (data: rt.Neighbor, attrs: rt.NeighborAttrs = {}): Uint8Array =>
  collect((out) => rt.formatNeighborMessage({ kind: 'neighbor', data, attrs }, out));

/** The attribute IFLA_LINKINFO of a new link of that kind. */
export const linkInfo = (kind: string, data: Uint8Array): Buffer =>
  Buffer.from(collect((out) => out.emit(ifla.formatInfo({ kind, data: Buffer.from(data) }))));

/** One attribute inside another's data, such as VETH_INFO_PEER. */
export const nestedPayload = (type: number, data: Uint8Array): Uint8Array =>
  collect((out) => out.push(type, Buffer.from(data)));

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
