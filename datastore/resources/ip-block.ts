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
    /** Which agent of that name has it: machines may share a name. Absent: an older agent claimed it, or a user made it. */
    holder: z
      .looseObject({
        /** Id of the journal that knows what is given out of the block. */
        journal: z.string(),
        /** Boot of the kernel, and network namespace in it, that the block's pods are in (random(4), namespaces(7)). */
        bootId: z.string(),
        netns: z.string(),
        /** SMBIOS UUID of the machine. Absent: it has none. */
        systemUuid: z.string().exactOptional(),
      })
      .exactOptional(),
  }),
});

export type IpBlock = z.output<typeof ipBlockSchema>;

/** `10.244.3.0/24` is named `10-244-3-0-24`; colons of IPv6 become `-` too, and an empty group `x`. */
export const ipBlockName = (cidr: Cidr): string =>
  cidr.replace(/::/g, '-x-').replace(/[.:/]/g, '-').replace(/--/g, '-');
