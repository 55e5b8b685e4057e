// v1 Service, as far as its addresses are advertised: what it is reached by, and whether only nodes with an endpoint of it
// may draw its traffic. Address fields stay text: one that is no address is no address that we advertise.
import { z } from 'zod';
import { namespacedMetadataSchema } from './metadata.ts';

export const serviceSchema = z.looseObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Service'),
  metadata: namespacedMetadataSchema,
  spec: z.looseObject({
    /** Absent: ClusterIP. */
    type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']).exactOptional(),
    /** `None`: headless. */
    clusterIP: z.string().exactOptional(),
    /** One of each family; the first equals `clusterIP`. */
    clusterIPs: z.array(z.string()).exactOptional(),
    externalIPs: z.array(z.string()).exactOptional(),
    /** Absent: Cluster, which lets every node draw the traffic. */
    externalTrafficPolicy: z.enum(['Cluster', 'Local']).exactOptional(),
  }),
  status: z
    .looseObject({
      loadBalancer: z
        .looseObject({
          ingress: z
            .array(z.looseObject({ ip: z.string().exactOptional(), ipMode: z.string().exactOptional() }))
            .exactOptional(),
        })
        .exactOptional(),
    })
    .exactOptional(),
});

export type Service = z.output<typeof serviceSchema>;
