// projectcalico.org/v3 IPReservation: addresses of pools that no pod gets by itself. A pod that asks for one gets it.
import { z } from 'zod';
import { metadataSchema } from './metadata.ts';
import { rangeSchema } from './scalars.ts';

export const ipReservationSchema = z.looseObject({
  apiVersion: z.literal('projectcalico.org/v3'),
  kind: z.literal('IPReservation'),
  metadata: metadataSchema,
  spec: z.looseObject({
    /** Of either family, single addresses too; they need not lie in a pool. */
    reservedCIDRs: z.array(rangeSchema).exactOptional(),
  }),
});

export type IpReservation = z.output<typeof ipReservationSchema>;
