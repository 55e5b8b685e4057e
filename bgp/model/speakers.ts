// The nodes of the cluster as BGP speakers: addresses, AS number, whether they reflect routes, and what BGPConfiguration
// says of each.
import { type BgpConfiguration, nodeOfConfiguration } from '../../datastore/resources/bgp-configuration.ts';
import { NODE_CHOSEN_REFLECTOR_ANNOTATION, type Node } from '../../datastore/resources/node.ts';
import type { Asn } from '../../datastore/resources/scalars.ts';
import { type Family, type Ip, ipFamily } from '../../lib/ip.ts';
import type { Labels } from '../../lib/selector/types.ts';
import { nodeAddresses, nodeAsn, nodeClusterId } from './node-addresses.ts';

export type Speaker = {
  readonly name: string;
  readonly labels: Labels;
  /** At least one of the two. */
  readonly v4?: Ip;
  readonly v6?: Ip;
  readonly asn: Asn;
  /** The node is a route reflector (RFC 4456) of this cluster. */
  readonly clusterId?: Ip;
  /** Of a reflector: the controller has chosen it, so that every node has a session with it. */
  readonly chosen?: true;
  /** `default`, overlaid with `node.NAME`. */
  readonly configuration: BgpConfiguration['spec'];
};

/** Calico's default AS number, from the private range (RFC 6996). */
const DEFAULT_ASN = 64512 as Asn;
/** The BGP port, RFC 4271 §8. */
export const BGP_PORT = 179;

export type SpeakersInput = {
  readonly nodes: readonly Node[];
  readonly configuration?: BgpConfiguration | undefined;
  readonly nodeConfigurations?: readonly BgpConfiguration[] | undefined;
};

/** By name, in the order of names. A node that cannot speak is named in `problems` and left out. */
export function readSpeakers(input: SpeakersInput, problems: string[]): ReadonlyMap<string, Speaker> {
  const ofNode = new Map(
    input.nodeConfigurations?.map((each) => [nodeOfConfiguration(each.metadata.name), each.spec] as const),
  );
  const speakers = new Map<string, Speaker>();
  for (const node of input.nodes.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const { name, labels = {}, annotations = {} } = node.metadata;
    const configuration = { ...input.configuration?.spec, ...ofNode.get(name) };
    const addresses = nodeAddresses(node);
    const asn = nodeAsn(node, configuration.asNumber ?? DEFAULT_ASN);
    const clusterId = nodeClusterId(node);
    for (const found of [addresses, asn, clusterId]) if (!found.ok) problems.push(found.error);
    // With an unreadable cluster id nobody can say which sessions are wanted: the mesh's or a reflector's.
    if (!addresses.ok || !asn.ok || !clusterId.ok) continue;
    const chosen = annotations[NODE_CHOSEN_REFLECTOR_ANNOTATION] === undefined ? {} : { chosen: true as const };
    const reflects = clusterId.value === undefined ? {} : { clusterId: clusterId.value, ...chosen };
    speakers.set(name, { name, labels, ...addresses.value, asn: asn.value, ...reflects, configuration });
  }
  return speakers;
}

export const addressOf = (speaker: Speaker, family: Family): Ip | undefined => (family === 4 ? speaker.v4 : speaker.v6);

/** Where two nodes have their one session: IPv4 when both have it. */
export function commonFamily(a: Speaker, b: Speaker): Family | undefined {
  if (a.v4 !== undefined && b.v4 !== undefined) return 4;
  return a.v6 !== undefined && b.v6 !== undefined ? 6 : undefined;
}

/** Of a port that nothing names: that of the node with this address. */
export const portOf = (speaker: Speaker | undefined): number => speaker?.configuration.listenPort ?? BGP_PORT;

export const familiesOf = (speaker: Speaker): readonly Family[] =>
  [speaker.v4, speaker.v6].flatMap((address) => (address === undefined ? [] : [ipFamily(address)]));
