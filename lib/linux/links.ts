// Network links by rtnetlink: read, create a veth pair, change, delete (include/uapi/linux/if_link.h).
import { KernelError } from './kernel-error.ts';
import { type NetlinkMessage, NLM_F, readU32 } from './netlink-message.ts';
import { linkInfo, linkPayload, nestedPayload, readLink, readLinkInfo } from './rt-payload.ts';
import type { Rtnl } from './rtnl.ts';

/** A link. `running` is the carrier; `peerIndex` is the ifindex of a veth's other end, in the other end's namespace. */
export type Link = {
  readonly index: number;
  readonly name: string;
  /** Driver, such as `veth` or `bridge`; absent for physical links. */
  readonly kind?: string;
  readonly up: boolean;
  readonly running: boolean;
  readonly mtu: number;
  readonly mac?: string;
  readonly group: number;
  readonly alias?: string;
  readonly peerIndex?: number;
};

/** A veth pair whose peer is born in another namespace under its final name. */
export type VethSpec = {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  /** `mac` absent: the kernel's choice. */
  readonly peer: { readonly name: string; readonly netnsFd: number; readonly mac?: string | undefined };
};

/** What to change of a link; absent: as it is. */
export type LinkChange = {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly mac?: string;
  readonly group?: number;
  readonly alias?: string;
};

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const VETH_INFO_PEER = 1; // include/uapi/linux/veth.h
const ENODEV = 19;

/** The kernel may leave out the statistics, which nobody here reads (RTEXT_FILTER_SKIP_STATS, an u32). */
const SKIP_STATS = Buffer.from(new Uint32Array([8]).buffer);

/** @throws KernelError */
export function listLinks(rtnl: Rtnl): readonly Link[] {
  const payload = linkPayload({}, { extMask: SKIP_STATS });
  return rtnl.dump({ op: 'list links', type: RTM_GETLINK, payload }, decodeLink);
}

/** `undefined`: there is none. @throws KernelError */
export function findLink(rtnl: Rtnl, by: { readonly name: string } | { readonly index: number }): Link | undefined {
  const payload =
    'name' in by
      ? linkPayload({}, { ifname: by.name, extMask: SKIP_STATS })
      : linkPayload({ index: by.index }, { extMask: SKIP_STATS });
  const op = `find link "${'name' in by ? by.name : by.index}"`;
  try {
    return rtnl.request({ op, type: RTM_GETLINK, payload }).flatMap((message) => decodeLink(message) ?? [])[0];
  } catch (error) {
    if (error instanceof KernelError && error.errno === ENODEV) return undefined;
    throw error;
  }
}

/**
 * Creates both ends at once, down: the driver opens no end before it knows the other. Creating the peer where it belongs
 * avoids moving it later, for which the kernel waits some 15 ms.
 * @throws KernelError EEXIST when either name is taken
 */
export function createVeth(rtnl: Rtnl, { name, mac, mtu, peer }: VethSpec): void {
  const address = peer.mac === undefined ? {} : { address: macBuffer(peer.mac) };
  const peerLink = linkPayload({}, { ifname: peer.name, mtu, netNsFd: peer.netnsFd, ...address });
  const peerInfo = nestedPayload(VETH_INFO_PEER, peerLink);
  rtnl.request({
    op: `create veth "${name}" with peer "${peer.name}"`,
    type: RTM_NEWLINK,
    flags: NLM_F.CREATE | NLM_F.EXCL,
    payload: linkPayload({}, { ifname: name, mtu, address: macBuffer(mac), linkinfo: linkInfo('veth', peerInfo) }),
  });
}

/** @throws KernelError */
export function setLink(rtnl: Rtnl, index: number, { up, mtu, mac, group, alias }: LinkChange): void {
  const payload = linkPayload(
    { index, ...(up === undefined ? {} : { flags: up ? { up: true } : {}, change: { up: true } }) },
    {
      ...(mtu === undefined ? {} : { mtu }),
      ...(mac === undefined ? {} : { address: macBuffer(mac) }),
      ...(group === undefined ? {} : { group }),
      ...(alias === undefined ? {} : { ifalias: alias }),
    },
  );
  rtnl.request({ op: `change link ${index}`, type: RTM_SETLINK, payload });
}

/**
 * Deletes a link; a veth's other end goes with it. Blocks some 16 ms: see doomed-links.ts for another way.
 * @returns false when there was none
 * @throws KernelError
 */
export function deleteLink(rtnl: Rtnl, index: number): boolean {
  try {
    rtnl.request({ op: `delete link ${index}`, type: RTM_DELLINK, payload: linkPayload({ index }) });
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === ENODEV) return false;
    throw error;
  }
}

/** `undefined`: not a message about a link. */
export function decodeLink({ type, payload }: NetlinkMessage): Link | undefined {
  const message = type === RTM_NEWLINK || type === RTM_DELLINK ? readLink(payload) : undefined;
  if (message === undefined) return undefined;
  const { index = 0, flags = {} } = message.data;
  const { ifname = '', mtu = 0, group = 0, address, ifalias, link, linkinfo } = message.attrs;
  const kind = linkinfo === undefined ? undefined : readLinkInfo(linkinfo).kind;
  return {
    index,
    name: ifname,
    ...(kind === undefined ? {} : { kind }),
    up: flags.up === true,
    running: flags.lowerUp === true,
    mtu,
    ...(address?.length === 6 ? { mac: macFromBytes(address) } : {}),
    group,
    ...(ifalias === undefined ? {} : { alias: ifalias }),
    ...(link === undefined ? {} : { peerIndex: readU32(link) }),
  };
}

const macBuffer = (mac: string): Buffer => Buffer.from(macToBytes(mac));

/** Six hex bytes with colons. @throws RangeError for other text */
export function macToBytes(mac: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) {
    throw new RangeError(`Cannot use MAC address "${mac}": expected six hex bytes with colons`);
  }
  return Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16));
}

export const macFromBytes = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
