// projectcalico.org/v3 IPPool: addresses that blocks are cut from.
import { z } from 'zod';
import { type Cidr, cidrFamily, cidrLength, cidrOverlaps } from '../../lib/cidr.ts';
import { metadataSchema } from './metadata.ts';
import { cidrSchema, selectorSchema } from './scalars.ts';

const specSchema = z
  .looseObject({
    cidr: cidrSchema,
    /** Prefix length of a block: 20 to 32 (IPv4), 116 to 128 (IPv6). Absent: 24 or 120. */
    blockSize: z.int().exactOptional(),
    natOutgoing: z.boolean().exactOptional(),
    /** No new addresses; those that are in use stay. */
    disabled: z.boolean().exactOptional(),
    disableBGPExport: z.boolean().exactOptional(),
    /** Calico selector over node labels. Absent: all nodes. */
    nodeSelector: selectorSchema.exactOptional(),
    /** Calico selector over namespace labels. Absent: all namespaces. */
    namespaceSelector: selectorSchema.exactOptional(),
    /** Absent or empty: Workload and Tunnel. */
    allowedUses: z.array(z.enum(['Workload', 'Tunnel', 'LoadBalancer'])).exactOptional(),
    /** `Manual`: only for pods that ask for the pool or for an address of it. Absent: Automatic. */
    assignmentMode: z.enum(['Automatic', 'Manual']).exactOptional(),
  })
  .check((context) => {
    const { cidr, blockSize } = context.value;
    const message = blockSizeProblem(cidr, blockSize ?? defaultBlockSize(cidr));
    if (message !== undefined) context.issues.push({ code: 'custom', message, path: ['blockSize'], input: blockSize });
  });

function blockSizeProblem(cidr: Cidr, blockSize: number): string | undefined {
  const [low, high] = cidrFamily(cidr) === 4 ? [20, 32] : [116, 128];
  if (blockSize < low || blockSize > high) return `${blockSize} is out of range, expected ${low} to ${high}`;
  if (blockSize >= cidrLength(cidr)) return undefined;
  return `a block of /${blockSize} is larger than the pool "${cidr}", expected at least ${cidrLength(cidr)}`;
}

/** Prefix length of blocks where a pool names none. */
export const defaultBlockSize = (cidr: Cidr): number => (cidrFamily(cidr) === 4 ? 24 : 120);

export const ipPoolSchema = z.looseObject({
  apiVersion: z.literal('projectcalico.org/v3'),
  kind: z.literal('IPPool'),
  metadata: metadataSchema,
  spec: specSchema,
});

export type IpPool = z.output<typeof ipPoolSchema>;

/** Prefix length of the pool's blocks. */
export const blockSizeOf = (pool: IpPool): number => pool.spec.blockSize ?? defaultBlockSize(pool.spec.cidr);

/** Sentences about what Calico would do for such a pool and nobody here does: pods are routed. */
export function withoutEncapsulation({ metadata, spec }: IpPool): readonly string[] {
  return ['ipipMode', 'vxlanMode'].flatMap((field) => {
    const mode = spec[field];
    if (mode === undefined || mode === '' || mode === 'Never') return [];
    const why = `${JSON.stringify(mode)}, pods are routed and never encapsulated`;
    return [`Cannot follow spec.${field} of IPPool "${metadata.name}": ${why}, expected "Never"`];
  });
}

/** What no interface of a pod can have: RFC 6890 table 1 to 18, RFC 4291 section 2.4; /0 overlaps the first of each family. */
const NO_POD_RANGES = new Map([
  ['0.0.0.0/8' as Cidr, 'unspecified'],
  ['127.0.0.0/8' as Cidr, 'loopback'],
  ['169.254.0.0/16' as Cidr, 'link-local'],
  ['224.0.0.0/4' as Cidr, 'multicast'],
  ['255.255.255.255/32' as Cidr, 'broadcast'],
  ['::/128' as Cidr, 'unspecified'],
  ['::1/128' as Cidr, 'loopback'],
  ['fe80::/10' as Cidr, 'link-local'],
  ['ff00::/8' as Cidr, 'multicast'],
]);

/**
 * Why no pod can have addresses of a range, `undefined` when it can. The schema takes such a pool: an object that is
 * stored must stay readable, or the routes to the pods that have addresses of it would go.
 */
export function noPodRange(cidr: Cidr): string | undefined {
  for (const [range, name] of NO_POD_RANGES) {
    if (cidrOverlaps(range, cidr)) return `"${cidr}" overlaps "${range}", which is ${name}`;
  }
  return undefined;
}
