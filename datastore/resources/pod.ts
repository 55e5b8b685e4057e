// v1 Pod, as far as the network needs it: where it runs, its labels, its ports and its addresses.
import { z } from 'zod';
import type { Ip } from '../../lib/ip.ts';
import { namespacedMetadataSchema } from './metadata.ts';
import { ipSchema, portNameSchema, portSchema, protocolSchema } from './scalars.ts';

const containerSchema = z.looseObject({
  name: z.string(),
  ports: z
    .array(
      z.looseObject({
        name: portNameSchema.exactOptional(),
        containerPort: portSchema,
        protocol: protocolSchema.default('TCP'),
      }),
    )
    .exactOptional(),
});

export const podSchema = z.looseObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Pod'),
  metadata: namespacedMetadataSchema,
  spec: z.looseObject({
    nodeName: z.string().exactOptional(),
    hostNetwork: z.boolean().exactOptional(),
    containers: z.array(containerSchema).exactOptional(),
    initContainers: z.array(containerSchema).exactOptional(),
  }),
  status: z
    .looseObject({
      phase: z.string().exactOptional(),
      podIP: ipSchema.exactOptional(),
      podIPs: z.array(z.looseObject({ ip: ipSchema })).exactOptional(),
    })
    .exactOptional(),
});

export type Pod = z.output<typeof podSchema>;

/** The addresses that the status tells; none before the pod has its network. */
export function podIps({ status }: Pod): readonly Ip[] {
  const listed = status?.podIPs?.map(({ ip }) => ip) ?? [];
  return listed.length > 0 || status?.podIP === undefined ? listed : [status.podIP];
}
