// projectcalico.org/v3 IPPool: addresses that blocks are cut from.
import { z } from 'zod';
import { cidrFamily, cidrLength } from '../../lib/cidr.ts';
import { metadataSchema } from './metadata.ts';
import { cidrSchema } from './scalars.ts';

const specSchema = z
  .looseObject({
    cidr: cidrSchema,
    /** Prefix length of a block: 20 to 32 (IPv4), 116 to 128 (IPv6). Absent: 24 or 120. */
    blockSize: z.int().exactOptional(),
    natOutgoing: z.boolean().exactOptional(),
    disabled: z.boolean().exactOptional(),
    disableBGPExport: z.boolean().exactOptional(),
    nodeSelector: z.string().exactOptional(),
  })
  .check((context) => {
    const { cidr, blockSize } = context.value;
    if (blockSize === undefined) return;
    const [low, high] = cidrFamily(cidr) === 4 ? [20, 32] : [116, 128];
    const message =
      blockSize < low || blockSize > high
        ? `${blockSize} is out of range, expected ${low} to ${high}`
        : blockSize < cidrLength(cidr)
          ? `a block of /${blockSize} is larger than the pool "${cidr}"`
          : undefined;
    if (message !== undefined) context.issues.push({ code: 'custom', message, path: ['blockSize'], input: blockSize });
  });

export const ipPoolSchema = z.looseObject({
  apiVersion: z.literal('projectcalico.org/v3'),
  kind: z.literal('IPPool'),
  metadata: metadataSchema,
  spec: specSchema,
});

export type IpPool = z.output<typeof ipPoolSchema>;

/** Prefix length of the pool's blocks. */
export const blockSizeOf = (pool: IpPool): number =>
  pool.spec.blockSize ?? (cidrFamily(pool.spec.cidr) === 4 ? 24 : 120);
