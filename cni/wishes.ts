// What a pod asks for besides an address of each family: from the runtime (capabilities and arguments), and from
// annotations of the pod and of its namespace under Calico's names. The runtime is root and is taken at its word, so
// what it says wrong is an error; annotations are written by anybody, so one that is not valid is ignored.
//
//   address:   runtimeConfig.ips > args.cni.ips > CNI_ARGS IP > pod annotation ipAddrs
//   MAC:       runtimeConfig.mac > CNI_ARGS MAC > pod annotation hwAddr
//   pools:     pod annotation ipv4pools, ipv6pools > the namespace's > ipam.ipv4_pools, ipam.ipv6_pools
//   families:  pod annotation ipFamilies
import { z } from 'zod';
import { type Family, type Ip, ipFamily, parseIp } from '../lib/ip.ts';
import { CNI_CODE, CniError } from './errors.ts';
import { HOST_MAC } from './pod-side.ts';
import type { NetConf } from './spec.ts';

/** What the datastore knows of a pod. */
export type PodFacts = {
  readonly podAnnotations: Readonly<Record<string, string>>;
  readonly namespaceAnnotations: Readonly<Record<string, string>>;
};

export type Wishes = {
  /** At most one per family. */
  readonly requested: readonly Ip[];
  /** Absent: those that the node serves. */
  readonly families?: readonly Family[];
  /** Names or CIDRs of pools, by family. Absent: any. */
  readonly pools: Readonly<Partial<Record<Family, readonly string[]>>>;
  /** Lower case. Absent: the kernel's choice. */
  readonly mac?: string;
  /** Annotations that are not valid or not wanted, as sentences. */
  readonly ignored: readonly string[];
};

/** Whether annotations may name addresses and a MAC (docs/adr/0014). */
export type PodAddressRequests = 'honour' | 'ignore';

const PREFIX = 'cni.projectcalico.org/';

/** @throws CniError 4 or 7 for wishes of the runtime that are not valid */
export function wishesOf(
  { config, args }: { readonly config: NetConf; readonly args: ReadonlyMap<string, string> },
  facts: PodFacts | undefined,
  podAddressRequests: PodAddressRequests = 'honour',
): Wishes {
  const ignored: string[] = [];
  const annotation = <T>(name: string, schema: z.ZodType<T>, of: keyof PodFacts = 'podAnnotations'): T | undefined => {
    const text = facts?.[of][PREFIX + name];
    if (text === undefined) return undefined;
    const parsed = schema.safeParse(text);
    if (parsed.success) return parsed.data;
    const who = of === 'podAnnotations' ? 'pod' : 'namespace';
    ignored.push(
      `Cannot use annotation "${PREFIX}${name}" of the ${who}: ${parsed.error.issues[0]?.message ?? 'not valid'}`,
    );
    return undefined;
  };
  const pools = (family: Family): readonly string[] | undefined =>
    annotation(`ipv${family}pools`, ANNOTATION.pools) ??
    annotation(`ipv${family}pools`, ANNOTATION.pools, 'namespaceAnnotations') ??
    config.ipam?.[`ipv${family}_pools`];
  const [four, six] = [pools(4), pools(6)];
  const address = <T>(name: 'ipAddrs' | 'hwAddr', schema: z.ZodType<T>): T | undefined => {
    if (podAddressRequests === 'honour') return annotation(name, schema);
    if (facts?.podAnnotations[PREFIX + name] !== undefined) {
      ignored.push(`Cannot use annotation "${PREFIX}${name}" of the pod: the agent has podAddressRequests "ignore"`);
    }
    return undefined;
  };
  const families = annotation('ipFamilies', ANNOTATION.families);
  const mac = runtimeMac(config, args) ?? address('hwAddr', macSchema);
  const requested = runtimeIps(config, args) ?? address('ipAddrs', ANNOTATION.ips) ?? [];
  return {
    requested,
    ...(families === undefined ? {} : { families }),
    pools: { ...(four === undefined ? {} : { 4: four }), ...(six === undefined ? {} : { 6: six }) },
    ...(mac === undefined ? {} : { mac }),
    ignored,
  };
}

/** An address for one interface: not of a group, not all zero, and not that of the host end, which is its gateway's. */
const macSchema = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/, 'expected six hex bytes with colons, the first one even')
  .refine((mac) => mac !== '00:00:00:00:00:00', 'all zero, expected an address')
  .refine((mac) => mac !== HOST_MAC, "it is that of every pod's gateway, expected another");

/** The prefix length that the CNI conventions allow says nothing here: each address stands alone. */
const ipSchema = z.string().transform((text, context): Ip => {
  const parsed = parseIp(text.replace(/\/\d{1,3}$/, ''));
  if (parsed.ok) return parsed.value;
  context.addIssue(parsed.error);
  return z.NEVER;
});

const ipsSchema = z
  .array(ipSchema)
  .min(1, 'an empty list, expected addresses')
  .refine((ips) => new Set(ips.map(ipFamily)).size === ips.length, 'expected at most one address per family');

const namesSchema = z.array(z.string().min(1).max(253)).min(1, 'an empty list, expected names or CIDRs of pools');

const familiesSchema = z
  .array(
    z
      .string()
      .toLowerCase()
      .pipe(z.enum(['ipv4', 'ipv6'])),
  )
  .min(1, 'an empty list, expected IPv4 or IPv6')
  .transform((names): readonly Family[] => [...new Set(names)].map((name) => (name === 'ipv4' ? 4 : 6)));

/** A JSON document in a string. */
function jsonOf<T>(schema: z.ZodType<T>) {
  return z
    .string()
    .max(4096)
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue('not JSON, expected a list');
        return z.NEVER;
      }
    })
    .pipe(schema);
}

/** Made once: making a schema costs more than using it. */
const ANNOTATION = {
  pools: jsonOf(namesSchema),
  families: jsonOf(familiesSchema),
  ips: jsonOf(ipsSchema),
} as const;

function runtimeIps({ runtimeConfig, args }: NetConf, cniArgs: ReadonlyMap<string, string>): readonly Ip[] | undefined {
  const ip = cniArgs.get('IP') ?? '';
  const lists = [
    { where: 'runtimeConfig.ips', code: CNI_CODE.invalidConfig, given: runtimeConfig?.ips },
    { where: 'args.cni.ips', code: CNI_CODE.invalidConfig, given: args?.cni?.ips },
    { where: 'IP of CNI_ARGS', code: CNI_CODE.invalidEnvironment, given: ip === '' ? [] : ip.split(',') },
  ];
  const first = lists.find(({ given }) => given !== undefined && given.length > 0);
  return first === undefined ? undefined : required(ipsSchema, first);
}

function runtimeMac({ runtimeConfig }: NetConf, cniArgs: ReadonlyMap<string, string>): string | undefined {
  const { mac } = runtimeConfig ?? {};
  if (mac !== undefined && mac !== '') {
    return required(macSchema, { where: 'runtimeConfig.mac', code: CNI_CODE.invalidConfig, given: mac });
  }
  const given = cniArgs.get('MAC');
  if (given === undefined || given === '') return undefined;
  return required(macSchema, { where: 'MAC of CNI_ARGS', code: CNI_CODE.invalidEnvironment, given });
}

function required<T>(
  schema: z.ZodType<T>,
  { where, code, given }: { readonly where: string; readonly code: 4 | 7; readonly given: unknown },
): T {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const text = JSON.stringify(given).slice(0, 200);
  throw new CniError(code, `Cannot use ${where} ${text}: ${parsed.error.issues[0]?.message ?? 'not valid'}`);
}
