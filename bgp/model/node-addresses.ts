// Where a node speaks BGP: Calico's annotations first, then the node's internal addresses; and its AS number.
import { NODE_ASN_ANNOTATION, NODE_IPV4_ANNOTATION, type Node } from '../../datastore/resources/node.ts';
import { type Asn, asnSchema } from '../../datastore/resources/scalars.ts';
import { type Family, type Ip, ipFamily, parseIp } from '../../lib/ip.ts';
import { err, ok, type Result } from '../../lib/result.ts';

const ANNOTATION = { 4: NODE_IPV4_ANNOTATION, 6: 'projectcalico.org/IPv6Address' } as const;

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

/** The node's own AS number, or `cluster` when it has none. */
export function nodeAsn(node: Node, cluster: Asn): Result<Asn> {
  const text = node.metadata.annotations?.[NODE_ASN_ANNOTATION];
  if (text === undefined) return ok(cluster);
  const asn = asnSchema.safeParse(text);
  if (asn.success) return ok(asn.data);
  return err(
    `Cannot use annotation "${NODE_ASN_ANNOTATION}" of node "${node.metadata.name}": "${text}", expected 1 to 4294967295`,
  );
}
