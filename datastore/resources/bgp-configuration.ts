// projectcalico.org/v3 BGPConfiguration `default`: AS number, mesh and listening port of all nodes.
import { z } from 'zod';
import { metadataSchema } from './metadata.ts';
import { asnSchema, cidrSchema, durationSchema, portSchema } from './scalars.ts';

const cidrList = z.array(z.looseObject({ cidr: cidrSchema })).exactOptional();

/** RFC 1997 `AS:VALUE`, or RFC 8092 `GLOBAL:LOCAL:LOCAL`. */
const communitySchema = z.string().regex(/^\d{1,10}(:\d{1,10}){1,2}$/, 'expected a community such as "64512:100"');

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
    /** Service address ranges to advertise. Absent: none. */
    serviceClusterIPs: cidrList,
    serviceExternalIPs: cidrList,
    serviceLoadBalancerIPs: cidrList,
    /** `Disabled`: load balancer addresses one by one instead of their ranges. Absent: Enabled. */
    serviceLoadBalancerAggregation: z.enum(['Enabled', 'Disabled']).exactOptional(),
    /** Longest time that paths of a restarting mesh peer are kept. */
    nodeMeshMaxRestartTime: durationSchema.exactOptional(),
    /** Names for community values, for use in `prefixAdvertisements`. */
    communities: z.array(z.looseObject({ name: z.string(), value: communitySchema })).exactOptional(),
    /** Communities (by value or by name) that paths inside a range carry. */
    prefixAdvertisements: z
      .array(z.looseObject({ cidr: cidrSchema, communities: z.array(z.string()) }))
      .exactOptional(),
  }),
});

export type BgpConfiguration = z.output<typeof bgpConfigurationSchema>;
