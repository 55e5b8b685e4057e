// margay.dev/v1alpha1 IPBlock: which node owns which block. Its name is derived from the CIDR, so that claiming a block
// is one atomic create and no block ever has two owners.
import { z } from 'zod';
import type { Cidr } from '../../lib/cidr.ts';
import { metadataSchema } from './metadata.ts';
import { cidrSchema } from './scalars.ts';

export const ipBlockSchema = z.looseObject({
  apiVersion: z.literal('margay.dev/v1alpha1'),
  kind: z.literal('IPBlock'),
  metadata: metadataSchema,
  spec: z.looseObject({
    cidr: cidrSchema,
    /** Name of the IPPool it was cut from. */
    pool: z.string(),
    /** Name of the owning Node. */
    node: z.string(),
    /** Uid of that Node: another Node may have the same name later. Absent: it had none when it claimed the block. */
    nodeUid: z.string().exactOptional(),
  }),
});

export type IpBlock = z.output<typeof ipBlockSchema>;

/** `10.244.3.0/24` is named `10-244-3-0-24`; colons of IPv6 become `-` too, and an empty group `x`. */
export const ipBlockName = (cidr: Cidr): string =>
  cidr.replace(/::/g, '-x-').replace(/[.:/]/g, '-').replace(/--/g, '-');
