// From the cluster's objects to what this node wants of its speaker. Wrong objects are named in `problems` and left
// out; the rest stands.
import type { BgpConfiguration } from '../../datastore/resources/bgp-configuration.ts';
import type { BgpPeer } from '../../datastore/resources/bgp-peer.ts';
import type { IpPool } from '../../datastore/resources/ip-pool.ts';
import type { Node } from '../../datastore/resources/node.ts';
import type { Asn } from '../../datastore/resources/scalars.ts';
import { type Cidr, cidrContainsCidr, cidrFamily } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import type { Result } from '../../lib/result.ts';
import { desiredPeer } from './desired-peer.ts';
import { nodeAddress, nodeAsn } from './node-addresses.ts';
import { parseNodeSelector } from './node-selector.ts';
import { BGP_PORT, parsePeerAddress } from './peer-address.ts';
import type { DesiredBgp, DesiredExport, DesiredPath, DesiredPeer, PeerKey } from './types.ts';

export type DesiredBgpInput = {
  /** Name of this node. */
  readonly node: string;
  readonly nodes: readonly Node[];
  /** `default`. Absent: AS 64512, full mesh, port 179. */
  readonly configuration?: BgpConfiguration | undefined;
  readonly peers: readonly BgpPeer[];
  /** Blocks that this node owns. */
  readonly blocks: readonly Cidr[];
  /** Service addresses and ranges that this node draws. Absent: none. */
  readonly services?: Iterable<Cidr>;
  readonly pools: readonly IpPool[];
};

/** `desired` is absent when this node cannot speak at all: then what runs must be left as it is. */
export type DesiredBgpResult = { readonly desired: DesiredBgp | undefined; readonly problems: readonly string[] };

/** Calico's default AS number, from the private range (RFC 6996). */
const DEFAULT_ASN = 64512 as Asn;

// Only what originates here goes out, to whichever peer: in a full mesh everybody hears the owner of a route itself, and
// a router above that heard one block from every node would send its packets to any of them. Rejecting the rest also
// holds for a peer that was added a moment ago.
const EXPORTS: DesiredExport = { statements: [{ from: 'local', action: 'accept' }], otherwise: 'reject' };

export function desiredBgp(input: DesiredBgpInput): DesiredBgpResult {
  const problems: string[] = [];
  const take = <T>(result: Result<T>): T | undefined => {
    if (result.ok) return result.value;
    problems.push(result.error);
    return undefined;
  };

  const own = input.nodes.find((node) => node.metadata.name === input.node);
  if (own === undefined) {
    problems.push(`Cannot configure BGP of node "${input.node}": there is no such Node, expected one`);
    return { desired: undefined, problems };
  }
  const clusterAsn = input.configuration?.spec.asNumber ?? DEFAULT_ASN;
  const address = take(nodeAddress(own, 4));
  const asn = take(nodeAsn(own, clusterAsn));
  if (address === undefined || asn === undefined) return { desired: undefined, problems };

  const v6 = nodeAddress(own, 6);
  const speaker: Speaker = { node: own, address, asn, v6: v6.ok ? v6.value : undefined };
  const listenPort = input.configuration?.spec.listenPort ?? BGP_PORT;
  const peers = new Map<PeerKey, DesiredPeer>();
  // Explicit peers first: what a user says of an address outranks the mesh.
  for (const peer of explicitPeers(input, speaker, take)) {
    if (peers.has(peer.address))
      problems.push(
        `Cannot add "${peer.description}": address "${peer.address}" is taken by "${peers.get(peer.address)?.description}", expected one peer of an address`,
      );
    else peers.set(peer.address, peer);
  }
  for (const peer of meshPeers(input, speaker, { clusterAsn, port: listenPort }, take)) {
    if (!peers.has(peer.address)) peers.set(peer.address, peer);
  }
  return {
    desired: {
      global: { asn, routerId: address, listenPort, listenAddresses: [address] },
      peers,
      paths: ownPaths(input, speaker, problems),
      exports: EXPORTS,
    },
    problems,
  };
}

type Speaker = { readonly node: Node; readonly address: Ip; readonly asn: Asn; readonly v6: Ip | undefined };
type Take = <T>(result: Result<T>) => T | undefined;

function* meshPeers(
  { nodes, configuration }: DesiredBgpInput,
  speaker: Speaker,
  { clusterAsn, port }: { readonly clusterAsn: Asn; readonly port: number },
  take: Take,
): Iterable<DesiredPeer> {
  if (configuration?.spec.nodeToNodeMeshEnabled === false) return;
  for (const node of nodes) {
    if (node.metadata.name === speaker.node.metadata.name) continue;
    const address = take(nodeAddress(node, 4));
    const asn = take(nodeAsn(node, clusterAsn));
    if (address === undefined || asn === undefined || address === speaker.address) continue;
    yield desiredPeer(speaker, { address, port, asn, description: `mesh ${node.metadata.name}`, isNode: 'node' });
  }
}

function* explicitPeers({ nodes, peers }: DesiredBgpInput, speaker: Speaker, take: Take): Iterable<DesiredPeer> {
  const addresses = new Set(nodes.map((node) => nodeAddress(node, 4)).map((ip) => (ip.ok ? ip.value : undefined)));
  const byName = peers.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const { metadata, spec } of byName) {
    if (spec.node !== undefined && spec.node !== speaker.node.metadata.name) continue;
    const named = <T>(result: Result<T>): Result<T> =>
      result.ok ? result : { ok: false, error: `Cannot use BGPPeer "${metadata.name}": ${result.error}` };
    const selects = take(named(parseNodeSelector(spec.nodeSelector)));
    if (selects === undefined || !selects(speaker.node)) continue;
    const at = take(named(parsePeerAddress(spec.peerIP)));
    // A peer of all nodes may be one of them: it has no session with itself.
    if (at === undefined || at.address === speaker.address) continue;
    yield desiredPeer(speaker, {
      ...at,
      asn: spec.asNumber,
      description: `BGPPeer ${metadata.name}`,
      isNode: addresses.has(at.address) ? 'node' : 'other',
      keepaliveTime: spec.keepaliveTime,
      maxRestartTime: spec.maxRestartTime,
    });
  }
}

// A block outside every pool is advertised too: its pool may be gone while its pods still run.
function ownPaths(
  { blocks, pools, services = [] }: DesiredBgpInput,
  speaker: Speaker,
  problems: string[],
): Map<Cidr, DesiredPath> {
  const hidden = pools.filter((pool) => pool.spec.disableBGPExport === true).map((pool) => pool.spec.cidr);
  const paths = new Map<Cidr, DesiredPath>();
  const originate = (what: string, prefix: Cidr): void => {
    const nextHop = cidrFamily(prefix) === 4 ? speaker.address : speaker.v6;
    if (nextHop !== undefined) paths.set(prefix, { nextHop });
    else
      problems.push(
        `Cannot advertise ${what} "${prefix}": node "${speaker.node.metadata.name}" has no IPv6 address, expected one`,
      );
  };
  for (const block of [...blocks].sort()) {
    if (!hidden.some((pool) => cidrContainsCidr(pool, block))) originate('block', block);
  }
  for (const prefix of [...services].sort()) originate('service address', prefix);
  return paths;
}
