// projectcalico.org/v3 BGPPeer: a peer of one node, of the nodes of a selector, or of all nodes.
import { z } from 'zod';
import { metadataSchema } from './metadata.ts';
import { asnSchema } from './scalars.ts';

export const bgpPeerSchema = z.looseObject({
  apiVersion: z.literal('projectcalico.org/v3'),
  kind: z.literal('BGPPeer'),
  metadata: metadataSchema,
  spec: z.looseObject({
    /** Name of the node that has this peer. Neither `node` nor `nodeSelector`: all nodes. */
    node: z.string().exactOptional(),
    /** Calico selector over node labels; excludes `node`. */
    nodeSelector: z.string().exactOptional(),
    /** `ADDRESS`, `ADDRESS:PORT` or `[IPV6]:PORT`. */
    peerIP: z.string(),
    asNumber: asnSchema,
    keepaliveTime: z.string().exactOptional(),
    maxRestartTime: z.string().exactOptional(),
  }),
});

export type BgpPeer = z.output<typeof bgpPeerSchema>;
