// What is in force of a stored pool, reservation or setting of address management that its schema refuses, as one of a
// newer API may be: what can be read of it counts, and the rest takes the careful side. Pods that have addresses of such
// a pool keep their routes and their translation, and no pod gets a new one.
import type { z } from 'zod';
import { cidrLength } from '../../lib/cidr.ts';
import { isRecord } from './closed-part.ts';
import type { Resource, ResourceKey } from './index.ts';
import { defaultBlockSize, type IpPool, ipPoolSchema } from './ip-pool.ts';
import { type IpReservation, ipReservationSchema } from './ip-reservation.ts';
import {
  IPAM_CONFIGURATION_NAME,
  type IpamConfiguration,
  ipamConfigurationSchema,
  LONGEST_COOLDOWN_SECONDS,
} from './ipam-configuration.ts';
import { withoutNulls } from './parse.ts';
import { cidrSchema, rangeSchema } from './scalars.ts';

/** What holds of such an object until it can be read, as a sentence's end. */
const MEANWHILE = {
  IPPool: 'it gives no new addresses meanwhile',
  IPReservation: 'of its ranges those that can be read are kept free meanwhile',
  IPAMConfiguration:
    'meanwhile nothing that leaked is set free, and where the cool-down cannot be read, it is the longest there is',
} as const;

type Addressing = IpPool | IpReservation | IpamConfiguration;

/** `undefined`: the object is of another kind. */
export const meanwhileOf = (resource: Resource): string | undefined =>
  isAddressing(resource) ? MEANWHILE[resource.kind] : undefined;

const isAddressing = (resource: Resource): resource is Addressing => Object.hasOwn(MEANWHILE, resource.kind);

/**
 * The closed reading of the object with that key; absent for other kinds, and for a pool of which not even the range can
 * be read. `raw` is what is stored; absent: that is not even JSON.
 */
export function closedAddressing(key: ResourceKey, raw: unknown): Addressing | undefined {
  const [kind, name = ''] = key.split('/');
  const given = withoutNulls(raw);
  const spec = isRecord(given) && isRecord(given['spec']) ? given['spec'] : {};
  const head = { apiVersion: 'projectcalico.org/v3', metadata: { name } } as const;
  switch (kind) {
    case 'IPPool':
      return closedPool(head, spec);
    case 'IPReservation':
      return ipReservationSchema.parse({ ...head, kind, spec: { reservedCIDRs: readableCidrs(spec) } });
    case 'IPAMConfiguration': {
      if (name !== IPAM_CONFIGURATION_NAME) return undefined;
      const readable = readableFields(ipamConfigurationSchema.shape.spec.shape, spec);
      const careful = { ipCooldownSeconds: LONGEST_COOLDOWN_SECONDS, ...readable, leakGraceSeconds: 0 };
      return ipamConfigurationSchema.parse({ ...head, kind, spec: careful });
    }
    default:
      return undefined;
  }
}

type Spec = Readonly<Record<string, unknown>>;

function closedPool(head: object, spec: Spec): IpPool | undefined {
  const cidr = cidrSchema.safeParse(spec['cidr']);
  if (!cidr.success) return undefined;
  const readable = readableFields(ipPoolSchema.shape.spec.shape, spec);
  // Its own size may be what is wrong, and nothing is cut from it.
  const blockSize = Math.max(defaultBlockSize(cidr.data), cidrLength(cidr.data));
  return ipPoolSchema.parse({ ...head, kind: 'IPPool', spec: { ...readable, blockSize, disabled: true } });
}

function readableCidrs({ reservedCIDRs }: Spec): readonly unknown[] {
  return Array.isArray(reservedCIDRs) ? reservedCIDRs.filter((text) => rangeSchema.safeParse(text).success) : [];
}

function readableFields(shape: Readonly<Record<string, z.ZodType>>, spec: Spec): Spec {
  const known = Object.entries(shape).filter(([field, schema]) => schema.safeParse(spec[field]).success);
  return Object.fromEntries(known.flatMap(([field]) => (spec[field] === undefined ? [] : [[field, spec[field]]])));
}
