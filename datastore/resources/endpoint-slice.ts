// discovery.k8s.io/v1 EndpointSlice: on which nodes a Service has endpoints, and which of them are ready.
import { z } from 'zod';
import { namespacedMetadataSchema } from './metadata.ts';

export const endpointSliceSchema = z.looseObject({
  apiVersion: z.literal('discovery.k8s.io/v1'),
  kind: z.literal('EndpointSlice'),
  metadata: namespacedMetadataSchema,
  addressType: z.enum(['IPv4', 'IPv6', 'FQDN']),
  endpoints: z
    .array(
      z.looseObject({
        addresses: z.array(z.string()).exactOptional(),
        /** `ready` absent: it is ready. */
        conditions: z.looseObject({ ready: z.boolean().exactOptional() }).exactOptional(),
        /** Absent: on no node of the cluster. */
        nodeName: z.string().exactOptional(),
      }),
    )
    .exactOptional(),
});

export type EndpointSlice = z.output<typeof endpointSliceSchema>;

/** Label with the name of the Service, of the slice's own namespace. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
