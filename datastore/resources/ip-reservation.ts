// projectcalico.org/v3 IPReservation: addresses of pools that no pod gets by itself. A pod that asks for one gets it.
import { z } from 'zod';
import { metadataSchema } from './metadata.ts';
import { cidrSchema } from './scalars.ts';

export const ipReservationSchema = z.looseObject({
  apiVersion: z.literal('projectcalico.org/v3'),
  kind: z.literal('IPReservation'),
  metadata: metadataSchema,
  spec: z.looseObject({
    /** Of either family; they need not lie in a pool. */
    reservedCIDRs: z.array(cidrSchema).exactOptional(),
  }),
});

export type IpReservation = z.output<typeof ipReservationSchema>;
