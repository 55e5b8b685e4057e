// v1 Node: who is in the cluster, with addresses, labels and Calico's BGP annotations.
import { z } from 'zod';
import { metadataSchema } from './metadata.ts';

export const nodeSchema = z.looseObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Node'),
  metadata: metadataSchema,
  spec: z.looseObject({}).exactOptional(),
  status: z
    .looseObject({
      addresses: z.array(z.looseObject({ type: z.string(), address: z.string() })).exactOptional(),
    })
    .exactOptional(),
});

export type Node = z.output<typeof nodeSchema>;

/** Annotation that overrides the node's BGP address, `ADDRESS[/LENGTH]`. */
export const NODE_IPV4_ANNOTATION = 'projectcalico.org/IPv4Address';
/** The same for IPv6. */
export const NODE_IPV6_ANNOTATION = 'projectcalico.org/IPv6Address';
/** Annotation that makes the node a route reflector (RFC 4456): its cluster id, in IPv4 form. */
export const NODE_CLUSTER_ID_ANNOTATION = 'projectcalico.org/RouteReflectorClusterID';
/** Annotation of a reflector that the controller has chosen: since when (RFC 3339). Every node has a session with it. */
export const NODE_CHOSEN_REFLECTOR_ANNOTATION = 'margay.dev/route-reflector-since';
/** Annotation with the node's own AS number. Absent: that of BGPConfiguration `default`. */
export const NODE_ASN_ANNOTATION = 'projectcalico.org/ASNumber';
