// Which service addresses this node advertises. Ranges go out whole from every node; a single address goes out where its
// traffic can be served: with externalTrafficPolicy Local on nodes with a ready endpoint, with Cluster on all nodes once
// there is a ready endpoint anywhere, and then only when no range speaks for it. Costs what a changed Service touches.
import type { EndpointSlice } from '../../datastore/resources/endpoint-slice.ts';
import { SERVICE_NAME_LABEL } from '../../datastore/resources/endpoint-slice.ts';
import type { Service } from '../../datastore/resources/service.ts';
import { type Cidr, cidrContains, cidrFamily, cidrLength, cidrOf } from '../../lib/cidr.ts';
import { type Family, familyBits, type Ip, ipFamily, parseIp } from '../../lib/ip.ts';

/** What BGPConfiguration and the Node say about service addresses. */
export type ServiceRanges = {
  readonly clusterIps: readonly Cidr[];
  readonly externalIps: readonly Cidr[];
  readonly loadBalancerIps: readonly Cidr[];
  /** `serviceLoadBalancerAggregation`: whether load balancer ranges go out whole, rather than address by address. */
  readonly loadBalancers: 'aggregated' | 'single';
  /** The Node has the label `node.kubernetes.io/exclude-from-external-load-balancers`: it draws no service traffic. */
  readonly node: 'included' | 'excluded';
};

/** `namespace/name`. */
export type ServiceName = string;

export type AdvertisedService = {
  /** Those that have this address, sorted; empty: a whole range of the configuration. */
  readonly services: readonly ServiceName[];
};

export type ServiceAdvertiser = {
  readonly configure: (ranges: ServiceRanges) => void;
  /** `undefined`: it is gone. */
  readonly setService: (name: ServiceName, service: Service | undefined) => void;
  /** `name` is the slice's own, `namespace/name`. */
  readonly setSlice: (name: string, slice: EndpointSlice | undefined) => void;
  /** What to originate, by prefix. */
  readonly advertised: () => ReadonlyMap<Cidr, AdvertisedService>;
  /** Whether the set of prefixes changed since the last call. */
  readonly takeChanged: () => boolean;
};

/** Label of a Node that takes no traffic from outside. */
export const EXCLUDE_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers';

const NO_RANGES: ServiceRanges = {
  clusterIps: [],
  externalIps: [],
  loadBalancerIps: [],
  loadBalancers: 'aggregated',
  node: 'included',
};

export function createServiceAdvertiser(node: string): ServiceAdvertiser {
  const services = new Map<ServiceName, Service>();
  const slices = new Map<string, { readonly of: ServiceName; readonly slice: EndpointSlice }>();
  const slicesOf = new Map<ServiceName, Set<string>>();
  const wanted = new Map<ServiceName, ReadonlySet<Cidr>>();
  // Services may share an address: it goes when the last of them does.
  const holders = new Map<Cidr, Set<ServiceName>>();
  let ranges = NO_RANGES;
  let whole: readonly Cidr[] = [];
  let changed = false;

  const refresh = (name: ServiceName): void => {
    const service = services.get(name);
    const own = [...(slicesOf.get(name) ?? [])].flatMap((key) => slices.get(key)?.slice ?? []);
    const after = service === undefined ? NOTHING : addressesOf(service, own, ranges, node);
    const before = wanted.get(name) ?? NOTHING;
    for (const cidr of before) {
      const left = holders.get(cidr);
      if (after.has(cidr) || !left?.delete(name) || left.size > 0) continue;
      holders.delete(cidr);
      changed = true;
    }
    for (const cidr of after) {
      const others = holders.get(cidr);
      if (others !== undefined) others.add(name);
      else {
        holders.set(cidr, new Set([name]));
        changed = true;
      }
    }
    if (after.size === 0) wanted.delete(name);
    else wanted.set(name, after);
  };

  return {
    configure: (next) => {
      if (JSON.stringify(next) === JSON.stringify(ranges)) return;
      ranges = next;
      const before = whole.join();
      whole = wholeRanges(ranges);
      if (whole.join() !== before) changed = true;
      for (const name of new Set([...services.keys(), ...wanted.keys()])) refresh(name);
    },
    setService: (name, service) => {
      if (service === undefined) services.delete(name);
      else services.set(name, service);
      refresh(name);
    },
    setSlice: (name, slice) => {
      const before = slices.get(name)?.of;
      const of = slice === undefined ? undefined : serviceOf(slice);
      if (before !== undefined && before !== of) {
        slices.delete(name);
        const left = slicesOf.get(before);
        left?.delete(name);
        if (left?.size === 0) slicesOf.delete(before);
        refresh(before);
      }
      if (slice === undefined || of === undefined) return;
      slices.set(name, { of, slice });
      const siblings = slicesOf.get(of);
      if (siblings === undefined) slicesOf.set(of, new Set([name]));
      else siblings.add(name);
      refresh(of);
    },
    advertised: () => {
      const all = new Map<Cidr, AdvertisedService>(whole.map((cidr) => [cidr, { services: [] }]));
      for (const [cidr, names] of holders) all.set(cidr, { services: [...names].sort() });
      return all;
    },
    takeChanged: () => {
      const was = changed;
      changed = false;
      return was;
    },
  };
}

const NOTHING: ReadonlySet<Cidr> = new Set();

const serviceOf = ({ metadata }: EndpointSlice): ServiceName | undefined => {
  const name = metadata.labels?.[SERVICE_NAME_LABEL];
  return name === undefined ? undefined : `${metadata.namespace}/${name}`;
};

const isSingle = (cidr: Cidr): boolean => cidrLength(cidr) === familyBits(cidrFamily(cidr));

function wholeRanges({ clusterIps, externalIps, loadBalancerIps, loadBalancers, node }: ServiceRanges) {
  if (node === 'excluded') return [];
  const aggregated = loadBalancers === 'aggregated' ? loadBalancerIps : [];
  // A range of one address speaks for a Service, not for a range: it goes out while the Service can be served.
  const ranges = [...clusterIps, ...externalIps, ...aggregated].filter((cidr) => !isSingle(cidr));
  return [...new Set(ranges)].sort();
}

function addressesOf(
  service: Service,
  slices: readonly EndpointSlice[],
  ranges: ServiceRanges,
  node: string,
): ReadonlySet<Cidr> {
  const { spec, status } = service;
  if (ranges.node === 'excluded' || spec.type === 'ExternalName') return NOTHING;
  const local = spec.externalTrafficPolicy === 'Local';
  const ready = readyFamilies(slices, local ? node : undefined);
  if (ready.size === 0) return NOTHING;
  const found = new Set<Cidr>();
  const add = (text: string | undefined, allowed: readonly Cidr[], bySelf: 'never' | 'always'): void => {
    const parsed = parseIp(text ?? '');
    if (!parsed.ok || !ready.has(ipFamily(parsed.value))) return;
    const ip: Ip = parsed.value;
    const holding = allowed.filter((cidr) => cidrContains(cidr, ip));
    if (holding.length > 0 && (local || bySelf === 'always' || holding.every(isSingle))) {
      found.add(cidrOf(ip, familyBits(ipFamily(ip))));
    }
  };
  for (const ip of spec.clusterIPs ?? [spec.clusterIP]) add(ip, ranges.clusterIps, 'never');
  for (const ip of spec.externalIPs ?? []) add(ip, ranges.externalIps, 'never');
  for (const { ip } of status?.loadBalancer?.ingress ?? []) {
    add(ip, ranges.loadBalancerIps, ranges.loadBalancers === 'single' ? 'always' : 'never');
  }
  return found;
}

/** Families with a ready endpoint on `node`, or, when absent, anywhere. */
function readyFamilies(slices: readonly EndpointSlice[], node: string | undefined): ReadonlySet<Family> {
  const found = new Set<Family>();
  for (const { addressType, endpoints = [] } of slices) {
    if (addressType === 'FQDN') continue;
    const here = endpoints.some(
      ({ conditions, nodeName }) => conditions?.ready !== false && (node === undefined || nodeName === node),
    );
    if (here) found.add(addressType === 'IPv4' ? 4 : 6);
  }
  return found;
}
