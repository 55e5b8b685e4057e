// projectcalico.org/v3 BGPConfiguration `default`: AS number, mesh and listening port of all nodes.
import { z } from 'zod';
import { metadataSchema } from './metadata.ts';
import { asnSchema, portSchema } from './scalars.ts';

export const bgpConfigurationSchema = z.looseObject({
  apiVersion: z.literal('projectcalico.org/v3'),
  kind: z.literal('BGPConfiguration'),
  metadata: metadataSchema,
  spec: z.looseObject({
    /** Absent: 64512. */
    asNumber: asnSchema.exactOptional(),
    /** Absent: true. */
    nodeToNodeMeshEnabled: z.boolean().exactOptional(),
    /** Absent: 179. */
    listenPort: portSchema.exactOptional(),
  }),
});

export type BgpConfiguration = z.output<typeof bgpConfigurationSchema>;
