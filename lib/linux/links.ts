// Network links by rtnetlink: read, create a veth pair, change, delete (include/uapi/linux/if_link.h).
import { KernelError } from './kernel-error.ts';
import { decodeLink, encodeLink, RTM_DELLINK, RTM_NEWLINK } from './link-codec.ts';
import { type NetlinkMessage, NLM_F } from './netlink-message.ts';
import type { Rtnl, RtnlRequest } from './rtnl.ts';

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
  readonly peer: { readonly name: string; readonly netnsFd: number; readonly mac?: string };
};

/** What to change of a link; absent: as it is. */
export type LinkChange = {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly mac?: string;
  readonly group?: number;
  readonly alias?: string;
  /**
   * Values of net.ipv4.conf.LINK, the same as by their files, but for what the writing of those tells others: routes that
   * are cached for the link are not forgotten, so this is for new ones.
   */
  readonly ipv4?: Readonly<Partial<Record<Ipv4Conf, number>>>;
};

/** IPV4_DEVCONF_* (include/uapi/linux/ip.h) by the name of their file. */
export const IPV4_CONF = {
  forwarding: 1,
  proxy_arp: 3,
  rp_filter: 8,
  accept_source_route: 9,
  route_localnet: 26,
} as const satisfies Record<string, number>;
export type Ipv4Conf = keyof typeof IPV4_CONF;

const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const ENODEV = 19;

/** The kernel may leave out the statistics, which nobody here reads. */
const RTEXT_FILTER_SKIP_STATS = 8;

/** @throws KernelError */
export function listLinks(rtnl: Rtnl): readonly Link[] {
  const payload = encodeLink({ extMask: RTEXT_FILTER_SKIP_STATS });
  return rtnl.dump({ op: 'list links', type: RTM_GETLINK, payload }, decodeLink);
}

/** `undefined`: there is none. @throws KernelError */
export function findLink(rtnl: Rtnl, by: { readonly name: string } | { readonly index: number }): Link | undefined {
  const payload = encodeLink({ ...by, extMask: RTEXT_FILTER_SKIP_STATS });
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
 * @returns the end named `name`
 * @throws KernelError EEXIST when either name is taken
 */
export const createVeth = (rtnl: Rtnl, spec: VethSpec): Link => vethOf(rtnl, spec, rtnl.request(vethRequest(spec)));

/** What `createVeth()` asks for, for requests in another thread. */
export const vethRequest = ({ name, mac, mtu, peer }: VethSpec): RtnlRequest => ({
  op: opOf({ name, peer }),
  type: RTM_NEWLINK,
  flags: NLM_F.CREATE | NLM_F.EXCL | NLM_F.ECHO,
  payload: encodeLink({ name, mtu, mac, peer: { ...peer, mtu } }),
});

/** The end named `name` in the answer to `vethRequest()`. @throws KernelError */
export function vethOf(rtnl: Rtnl, spec: VethSpec, answer: readonly NetlinkMessage[]): Link {
  // From Linux 6.2 the kernel answers with the link; before, it has to be asked.
  const { name } = spec;
  const link = answer.map(decodeLink).find((each) => each?.name === name) ?? findLink(rtnl, { name });
  if (link === undefined) throw new KernelError(opOf(spec), ENODEV, 'it is gone again');
  return link;
}

const opOf = ({ name, peer }: Pick<VethSpec, 'name' | 'peer'>): string =>
  `create veth "${name}" with peer "${peer.name}"`;

/** @throws KernelError */
export function setLink(rtnl: Rtnl, index: number, change: LinkChange): void {
  rtnl.request(setLinkRequest(index, change));
}

export function setLinkRequest(index: number, { ipv4, ...change }: LinkChange): RtnlRequest {
  const conf = ipv4 && new Map(Object.entries(ipv4).map(([name, value]) => [IPV4_CONF[name as Ipv4Conf], value]));
  const payload = encodeLink({ index, ...change, ...(conf === undefined ? {} : { ipv4: conf }) });
  return { op: `change link ${index}`, type: RTM_SETLINK, payload };
}

/**
 * Deletes a link; a veth's other end goes with it. Blocks some 16 ms: see doomed-links.ts for another way.
 * @returns false when there was none
 * @throws KernelError
 */
export function deleteLink(rtnl: Rtnl, index: number): boolean {
  try {
    rtnl.request({ op: `delete link ${index}`, type: RTM_DELLINK, payload: encodeLink({ index }) });
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === ENODEV) return false;
    throw error;
  }
}
