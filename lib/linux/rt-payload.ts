// Payloads of rtnetlink messages about addresses and neighbours, read by the package `netlink`, which knows their
// attributes. What every pod needs is written without it: routes in route-codec.ts, links in link-codec.ts. One module of
// the package alone: all of it, with the tables of wireless devices, takes 2 MB more of the agent's memory.
import {
  __LENGTH_Address,
  __LENGTH_Neighbor,
  type Address,
  type AddressAttrs,
  formatAddress,
  formatNeighbor,
  type Neighbor,
  type NeighborAttrs,
  parseAddress,
  parseAddressAttrs,
  parseNeighbor,
  parseNeighborAttrs,
} from 'netlink/dist/rt/gen_structs.js';

/** `struct ifaddrmsg` without attributes. */
export const addressPayload = (data: Address): Uint8Array => formatAddress(data);

/** `struct ndmsg` without attributes. */
export const neighbourPayload = (data: Neighbor): Uint8Array => formatNeighbor(data);

type Read<D, A> = { readonly data: D; readonly attrs: A };

/** `undefined`: too short to be one. */
export function readAddress(payload: Uint8Array): Read<Address, AddressAttrs> | undefined {
  if (payload.length < __LENGTH_Address) return undefined;
  const bytes = bufferOf(payload);
  return {
    data: parseAddress(bytes.subarray(0, __LENGTH_Address)),
    attrs: parseAddressAttrs(bytes.subarray(__LENGTH_Address)),
  };
}

/** `undefined`: too short to be one. */
export function readNeighbour(payload: Uint8Array): Read<Neighbor, NeighborAttrs> | undefined {
  if (payload.length < __LENGTH_Neighbor) return undefined;
  const bytes = bufferOf(payload);
  return {
    data: parseNeighbor(bytes.subarray(0, __LENGTH_Neighbor)),
    attrs: parseNeighborAttrs(bytes.subarray(__LENGTH_Neighbor)),
  };
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
