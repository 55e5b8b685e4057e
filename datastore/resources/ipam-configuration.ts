// projectcalico.org/v3 IPAMConfiguration: how addresses are assigned in the whole cluster. Only `default` is read.
import { z } from 'zod';
import { metadataSchema } from './metadata.ts';

/** The one object that counts. */
export const IPAM_CONFIGURATION_NAME = 'default';
/** Calico's leakGracePeriod. */
const LEAK_GRACE_SECONDS = 900;
/** Most that `ipCooldownSeconds` may be. */
export const LONGEST_COOLDOWN_SECONDS = 1200;
const COOLDOWN_RANGE = `expected 0 to ${LONGEST_COOLDOWN_SECONDS}`;

export const ipamConfigurationSchema = z.looseObject({
  apiVersion: z.literal('projectcalico.org/v3'),
  kind: z.literal('IPAMConfiguration'),
  metadata: metadataSchema,
  spec: z.looseObject({
    /** How long a released address rests before another pod gets it. Absent and 0: not at all. */
    ipCooldownSeconds: z.int().min(0, COOLDOWN_RANGE).max(LONGEST_COOLDOWN_SECONDS, COOLDOWN_RANGE).exactOptional(),
    /** Most blocks of one family on a node. Absent and 0: as many as it needs. */
    maxBlocksPerHost: z.int().min(0).exactOptional(),
    /** `false` allows a node to borrow from blocks of other nodes. It demands nothing, and no node here ever does. */
    strictAffinity: z.boolean().exactOptional(),
    /** `false`: nodes claim no new blocks and go on with those that they have. Absent: true. */
    autoAllocateBlocks: z.boolean().exactOptional(),
    /**
     * How long nobody must have used an address or a block before it is set free by itself. Absent: 15 minutes. 0: never.
     */
    leakGraceSeconds: z.int().min(0, 'expected 0 to 86400').max(86400, 'expected 0 to 86400').exactOptional(),
  }),
});

export type IpamConfiguration = z.output<typeof ipamConfigurationSchema>;

/** In milliseconds; `undefined`: what leaked stays until somebody sets it free by hand. */
export function leakGraceMs(configuration: IpamConfiguration | undefined): number | undefined {
  const { leakGraceSeconds = LEAK_GRACE_SECONDS } = configuration?.spec ?? {};
  return leakGraceSeconds === 0 ? undefined : leakGraceSeconds * 1000;
}
