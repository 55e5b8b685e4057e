// Paths, free of how a generation wraps them: from what we want to the attributes to send, and from the attributes that
// came to a path of the table.
import { type Cidr, cidrFamily, parseCidr } from '../../../lib/cidr.ts';
import { type Family, type Ip, parseIp } from '../../../lib/ip.ts';
import type { LargeCommunity, RibPath } from '../../model/types.ts';
import type { PathToWrite } from '../codec.ts';

/** How one generation writes and reads its message `Path`. */
export type PathFormat = {
  readonly encode: (path: PathToWrite) => Uint8Array;
  /** @throws WireError */
  readonly decode: (bytes: Uint8Array) => WirePath;
  /** The prefix alone; `undefined` when it is none of unicast. @throws WireError */
  readonly prefix: (bytes: Uint8Array) => Cidr | undefined;
};

export type WirePath = {
  /** Absent: no unicast prefix. */
  readonly prefix: Cidr | undefined;
  readonly attributes: WireAttributes;
  readonly sourceAsn: number;
  readonly isWithdraw: boolean;
  readonly filtered: boolean;
  readonly stale: boolean;
  /** No address for paths that originate here. */
  readonly neighborIp: string;
};

/** Absent: the path does not carry it. */
export type WireAttributes = {
  readonly origin?: number;
  readonly segments?: readonly { readonly type: number; readonly numbers: readonly number[] }[];
  readonly nextHop?: string;
  readonly med?: number;
  readonly localPref?: number;
  readonly communities?: readonly number[];
  readonly largeCommunities?: readonly WireLargeCommunity[];
};

export type WireLargeCommunity = { readonly global: number; readonly local1: number; readonly local2: number };

/** AFI of a family (IANA address family numbers); SAFI 1 is unicast. */
export const familyOf = (family: Family) => ({ afi: family === 4 ? 1 : 2, safi: 1 });

/** The attributes of a path to write; ORIGIN is mandatory, and IGP is 0. The next hop of IPv6 goes into MP_REACH_NLRI. */
export function attributesOut({ prefix, path }: PathToWrite) {
  const { nextHop, communities = [], largeCommunities = [], localPref, med } = path;
  return {
    origin: { origin: 0 },
    nextHop: cidrFamily(prefix) === 4 ? { nextHop } : undefined,
    mpNextHops: cidrFamily(prefix) === 6 ? [nextHop] : undefined,
    med: med === undefined ? undefined : { med },
    localPref: localPref === undefined ? undefined : { localPref },
    communities: communities.length === 0 ? undefined : { communities },
    largeCommunities:
      largeCommunities.length === 0
        ? undefined
        : { communities: largeCommunities.map(([global, local1, local2]) => ({ global, local1, local2 })) },
  };
}

/** `undefined` for what is no unicast path with a next hop that we understand. */
export function ribPath(path: WirePath, ownAsn: number): RibPath | undefined {
  const { prefix, attributes } = path;
  const nextHop = addressIn(attributes.nextHop ?? '');
  if (prefix === undefined || nextHop === undefined || path.filtered || path.isWithdraw) return undefined;
  const from = addressIn(path.neighborIp);
  const segments = attributes.segments ?? [];
  const largeCommunities = (attributes.largeCommunities ?? []).map(
    ({ global, local1, local2 }): LargeCommunity => [global, local1, local2],
  );
  return {
    prefix,
    nextHop,
    ...(from === undefined ? {} : { from }),
    local: from === undefined,
    stale: path.stale,
    ebgp: from !== undefined && path.sourceAsn !== ownAsn,
    asPath: segments.flatMap(({ numbers }) => numbers),
    asPathLength: segments.reduce((sum, { type, numbers }) => sum + hops(type, numbers.length), 0),
    localPref: attributes.localPref ?? 100,
    med: attributes.med ?? 0,
    origin: attributes.origin ?? 0,
    communities: attributes.communities ?? [],
    ...(largeCommunities.length === 0 ? {} : { largeCommunities }),
  };
}

export function prefixIn({ length, address }: { readonly length: number; readonly address: string }): Cidr | undefined {
  const prefix = parseCidr(`${address}/${length}`);
  return prefix.ok ? prefix.value : undefined;
}

// AsSegment types: 1 set, 2 sequence, 3 and 4 of a confederation, which do not count (RFC 5065 §5.3).
const hops = (type: number, count: number): number => (type === 2 ? count : type === 1 ? 1 : 0);

function addressIn(text: string): Ip | undefined {
  const parsed = parseIp(text);
  return parsed.ok ? parsed.value : undefined;
}
