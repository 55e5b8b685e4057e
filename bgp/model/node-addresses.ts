// Where a node speaks BGP: Calico's annotations first, then the node's internal addresses; its AS number and cluster id.
import {
  NODE_ASN_ANNOTATION,
  NODE_CLUSTER_ID_ANNOTATION,
  NODE_IPV4_ANNOTATION,
  NODE_IPV6_ANNOTATION,
  type Node,
} from '../../datastore/resources/node.ts';
import { type Asn, asnSchema } from '../../datastore/resources/scalars.ts';
import { type Family, type Ip, ipFamily, parseIp } from '../../lib/ip.ts';
import { err, ok, type Result } from '../../lib/result.ts';

const ANNOTATION = { 4: NODE_IPV4_ANNOTATION, 6: NODE_IPV6_ANNOTATION } as const;

/** The node's address of a family. */
export function nodeAddress(node: Node, family: Family): Result<Ip> {
  const annotated = node.metadata.annotations?.[ANNOTATION[family]];
  if (annotated !== undefined) {
    const ip = parseIp(annotated.replace(/\/\d{1,3}$/, ''));
    if (ip.ok && ipFamily(ip.value) === family) return ip;
    return err(
      `Cannot use annotation "${ANNOTATION[family]}" of node "${node.metadata.name}": "${annotated}", expected an IPv${family} address`,
    );
  }
  for (const { type, address } of node.status?.addresses ?? []) {
    const ip = type === 'InternalIP' ? parseIp(address) : undefined;
    if (ip?.ok && ipFamily(ip.value) === family) return ip;
  }
  return err(
    `Cannot find an address of node "${node.metadata.name}": no annotation "${ANNOTATION[family]}" and no InternalIP, expected an IPv${family} address`,
  );
}

export type NodeAddresses = { readonly v4?: Ip; readonly v6?: Ip };

/** One or two addresses; an annotation that cannot be read is an error, also when the other family has one. */
export function nodeAddresses(node: Node): Result<NodeAddresses> {
  const v4 = nodeAddress(node, 4);
  const v6 = nodeAddress(node, 6);
  for (const [family, found] of [[4, v4] as const, [6, v6] as const]) {
    if (!found.ok && node.metadata.annotations?.[ANNOTATION[family]] !== undefined) return found;
  }
  if (!v4.ok && !v6.ok) return v4;
  return ok({ ...(v4.ok ? { v4: v4.value } : {}), ...(v6.ok ? { v6: v6.value } : {}) });
}

/** The node's own AS number, or `otherwise` when it has none. */
export function nodeAsn(node: Node, otherwise: Asn): Result<Asn> {
  const text = node.metadata.annotations?.[NODE_ASN_ANNOTATION];
  if (text === undefined) return ok(otherwise);
  const asn = asnSchema.safeParse(text);
  if (asn.success) return ok(asn.data);
  return err(
    `Cannot use annotation "${NODE_ASN_ANNOTATION}" of node "${node.metadata.name}": "${text}", expected 1 to 4294967295`,
  );
}

/** The cluster id of a route reflector (RFC 4456 §7); `undefined` for any other node. */
export function nodeClusterId(node: Node): Result<Ip | undefined> {
  const text = node.metadata.annotations?.[NODE_CLUSTER_ID_ANNOTATION];
  if (text === undefined || text === '') return ok(undefined);
  const id = parseIp(text);
  if (id.ok && ipFamily(id.value) === 4 && id.value !== '0.0.0.0') return id;
  return err(
    `Cannot use annotation "${NODE_CLUSTER_ID_ANNOTATION}" of node "${node.metadata.name}": "${text}", expected the form of an IPv4 address such as "244.0.0.1"`,
  );
}
