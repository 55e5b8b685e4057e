// The CNI protocol's input: environment and standard input of one call, parsed once into a request. Container ids,
// names and paths come from outside and are used in kernel names and in file names, so everything is checked here.
import { z } from 'zod';
import { formatIssues } from '../datastore/resources/format-issues.ts';
import { CONTAINER_NAMESPACE, type Handle, handleOf } from '../ipam/handle.ts';
import { type IfName, parseIfName } from '../lib/linux/if-name.ts';
import { CNI_CODE, CniError } from './errors.ts';
import type { CniEnvironment, CniFrame } from './frame.ts';

export const SUPPORTED_VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type CniVersion = (typeof SUPPORTED_VERSIONS)[number];

/** The version that a verb came with; those that are not here were there from the beginning. */
const SINCE: Readonly<Record<string, CniVersion>> = { CHECK: '0.4.0', GC: '1.1.0', STATUS: '1.1.0' };

/** An interface of a container: what every verb but GC and STATUS is about. */
export type Target = { readonly handle: Handle; readonly containerId: string; readonly ifName: IfName };

/** The Kubernetes pod, from CNI_ARGS; else the container, in a namespace of its own. */
export type PodName = { readonly namespace: string; readonly pod: string; readonly uid?: string };

export type CniRequest =
  | ({
      readonly kind: 'add';
      readonly config: NetConf;
      readonly netns: string;
      /** Everything in CNI_ARGS. */
      readonly args: ReadonlyMap<string, string>;
    } & Target &
      PodName)
  | ({ readonly kind: 'check'; readonly config: NetConf; readonly netns: string } & Target)
  /** `podName` is absent when the runtime did not name it well; DEL succeeds all the same. */
  | ({ readonly kind: 'del'; readonly podName?: PodName } & Target)
  | { readonly kind: 'gc'; readonly network: string; readonly valid: ReadonlySet<Handle> }
  | { readonly kind: 'status' };

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const POD = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const UID = /^[A-Za-z0-9-]{1,64}$/;
/** The kernel's limit of a link's alias, where the handle is written (IFALIASZ). */
const MAX_HANDLE = 255;

const MTU_RANGE = 'expected 0, or 68 to 65535 bytes';

const attachmentSchema = z.looseObject({ containerID: z.string(), ifname: z.string() });

const resultSchema = z.looseObject({
  interfaces: z
    .array(
      z.looseObject({
        name: z.string(),
        mac: z.string().optional(),
        mtu: z.number().optional(),
        sandbox: z.string().optional(),
      }),
    )
    .optional(),
  ips: z.array(z.looseObject({ address: z.string() })).optional(),
  /** Read by CHECK alone, so that no DEL fails for it. */
  routes: z
    .array(z.looseObject({ dst: z.string(), gw: z.string().optional() }))
    .optional()
    .catch(undefined),
});

/** Belongs to whoever calls; what is not in the form of the CNI conventions is for others. */
const argsSchema = z.looseObject({ cni: z.looseObject({ ips: z.array(z.string()).optional() }).optional() });

/** What every verb needs of the network configuration. */
const networkSchema = z.looseObject({
  cniVersion: z.enum(SUPPORTED_VERSIONS),
  name: z.string().regex(NAME, 'expected letters, digits, dots, dashes and underscores, at most 128'),
});

/** A runtime in Go that has no attachment may say so with `null`. The first that is wrong is told: a list may be long. */
const attachmentsSchema = z
  .array(z.unknown())
  .transform((list, context) => {
    const read: z.output<typeof attachmentSchema>[] = [];
    for (const [index, each] of list.entries()) {
      const parsed = attachmentSchema.safeParse(each);
      if (!parsed.success) {
        for (const issue of parsed.error.issues) context.addIssue({ ...issue, path: [index, ...issue.path] });
        return z.NEVER;
      }
      read.push(parsed.data);
    }
    return read;
  })
  .nullish();

/** The text of CNI SPEC 1.1.0 names the list in both ways. */
const gcSchema = networkSchema.extend({
  'cni.dev/valid-attachments': attachmentsSchema,
  'cni.dev/attachments': attachmentsSchema,
});

/** The network configuration. Unknown keys belong to others in the chain, or to the runtime. */
const netConfSchema = networkSchema.extend({
  type: z.string(),
  /** Where the executable keeps DELs that it can give to nobody; it alone reads this. Absent: its default. */
  spoolDirectory: z.string().optional(),
  /** 0: the node's. IPv4 needs 68 bytes (RFC 791). */
  mtu: z.union([z.int().min(68, MTU_RANGE).max(65535, MTU_RANGE), z.literal(0)], MTU_RANGE).optional(),
  dns: z.looseObject({}).optional(),
  /** What the runtime passes on for the capabilities of this plugin (CNI conventions). */
  runtimeConfig: z.looseObject({ ips: z.array(z.string()).optional(), mac: z.string().optional() }).optional(),
  args: argsSchema.optional().catch(undefined),
  /** Under Calico's names. */
  ipam: z
    .looseObject({
      type: z.string().optional(),
      ipv4_pools: z.array(z.string()).optional(),
      ipv6_pools: z.array(z.string()).optional(),
    })
    .optional(),
  prevResult: resultSchema.optional(),
});

export type NetConf = z.output<typeof netConfSchema>;

const anyVersionSchema = z.looseObject({ cniVersion: z.string().optional() });
const knownVersionSchema = z.looseObject({ cniVersion: z.enum(SUPPORTED_VERSIONS) });

/** @throws CniError 1, 2, 4, 6 or 7 */
export function parseRequest({ environment, stdin }: CniFrame): CniRequest {
  const json = readJson(stdin);
  const command = environment.CNI_COMMAND;
  checkVersion(json, command ?? '');
  switch (command) {
    case 'ADD': {
      const config = parseConfig(netConfSchema, json);
      refuseOtherIpam(config);
      if (config.prevResult !== undefined) {
        throw invalidConfig('prevResult: another plugin ran before, expected to be the first of the list');
      }
      return {
        kind: 'add',
        config,
        netns: netnsOf(environment),
        args: argsOf(environment),
        ...targetOf(environment, config.name),
        ...workloadOf(environment),
      };
    }
    case 'CHECK': {
      const config = parseConfig(netConfSchema, json);
      return { kind: 'check', config, netns: netnsOf(environment), ...targetOf(environment, config.name) };
    }
    case 'DEL': {
      // What DEL does not need must not keep a pod from going.
      const { name } = parseConfig(networkSchema, json);
      const podName = attempt(() => workloadOf(environment));
      return { kind: 'del', ...targetOf(environment, name), ...(podName === undefined ? {} : { podName }) };
    }
    case 'GC': {
      const config = parseConfig(gcSchema, json);
      return { kind: 'gc', network: config.name, valid: validOf(config) };
    }
    case 'STATUS':
      refuseOtherIpam(parseConfig(netConfSchema, json));
      return { kind: 'status' };
    default:
      throw invalidEnvironment('CNI_COMMAND', command, 'one of ADD, DEL, CHECK, GC, STATUS, VERSION');
  }
}

/** The version to answer an error in: the configuration's where it can be read, else the newest. */
export function versionForError(stdin: Uint8Array): string {
  const version = attempt(() => knownVersionSchema.parse(readJson(stdin)));
  return version?.cniVersion ?? '1.1.0';
}

/** Name of the network; empty where there is none that could be used. */
export const networkOf = (stdin: Uint8Array): string => attempt(() => networkSchema.parse(readJson(stdin)))?.name ?? '';

function checkVersion(json: unknown, command: string): void {
  const parsed = anyVersionSchema.safeParse(json);
  if (!parsed.success) throw invalidConfig(formatIssues(parsed.error.issues, json));
  const wanted = parsed.data.cniVersion;
  const version = SUPPORTED_VERSIONS.find((each) => each === wanted);
  if (version === undefined) {
    throw new CniError(
      CNI_CODE.incompatibleVersion,
      `Cannot use cniVersion ${quote(wanted)}: expected one of ${SUPPORTED_VERSIONS.join(', ')}`,
      'Set "cniVersion" of the network configuration to one of these',
    );
  }
  const since = SINCE[command];
  if (since === undefined || SUPPORTED_VERSIONS.indexOf(version) >= SUPPORTED_VERSIONS.indexOf(since)) return;
  throw new CniError(
    CNI_CODE.incompatibleVersion,
    `Cannot run ${command} for cniVersion "${version}": expected ${since} or later`,
    'Set "cniVersion" of the network configuration to a later one',
  );
}

function parseConfig<T>(schema: z.ZodType<T>, json: unknown): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw invalidConfig(formatIssues(parsed.error.issues, json));
}

// Who names another plugin for addresses expects its addresses. What is there already may go all the same.
function refuseOtherIpam({ ipam }: NetConf): void {
  if (ipam?.type === undefined) return;
  throw new CniError(
    CNI_CODE.unsupportedField,
    `Cannot use ipam.type ${quote(ipam.type)} of the network configuration: addresses come from IPPools, expected no such key`,
    'Remove "type" from "ipam", and create an IPPool',
  );
}

function readJson(stdin: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(stdin));
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 200) : '';
    throw new CniError(
      CNI_CODE.decode,
      `Cannot read the network configuration of ${stdin.length} bytes: it is not JSON in UTF-8, expected an object`,
      why,
    );
  }
}

function containerIdOf({ CNI_CONTAINERID }: CniEnvironment): string {
  if (CNI_CONTAINERID === undefined || !NAME.test(CNI_CONTAINERID)) {
    throw invalidEnvironment(
      'CNI_CONTAINERID',
      CNI_CONTAINERID,
      'letters, digits, dots, dashes, underscores; at most 128',
    );
  }
  return CNI_CONTAINERID;
}

function targetOf(environment: CniEnvironment, network: string): Target {
  const containerId = containerIdOf(environment);
  const { CNI_IFNAME } = environment;
  const ifName = parseIfName(CNI_IFNAME ?? '');
  if (!ifName.ok) {
    throw invalidEnvironment(
      'CNI_IFNAME',
      CNI_IFNAME,
      'an interface name of at most 15 characters, without %, / : or quotes',
    );
  }
  const handle = handleOf({ network, containerId, ifName: ifName.value });
  if (handle.length > MAX_HANDLE) {
    throw invalidEnvironment('CNI_CONTAINERID', containerId, `a network name and id of at most ${MAX_HANDLE} together`);
  }
  return { handle, containerId, ifName: ifName.value };
}

function netnsOf({ CNI_NETNS }: CniEnvironment): string {
  const path = CNI_NETNS ?? '';
  // No environment holds a NUL, but a frame may: to the kernel it would be the end of the path.
  if (!path.startsWith('/') || path.length > 4095 || path.split('/').includes('..') || path.includes('\0')) {
    throw invalidEnvironment('CNI_NETNS', CNI_NETNS, 'the absolute path of a network namespace');
  }
  return path;
}

const argsOf = ({ CNI_ARGS = '' }: CniEnvironment): ReadonlyMap<string, string> =>
  new Map(CNI_ARGS.split(';').map((pair) => splitOnce(pair)));

// Runtimes that know no pods say neither name; a container that is a pod's says both.
function workloadOf(environment: CniEnvironment): PodName {
  const args = argsOf(environment);
  if (args.has('K8S_POD_NAMESPACE') || args.has('K8S_POD_NAME')) return podNameOf(environment, args);
  return { namespace: CONTAINER_NAMESPACE, pod: containerIdOf(environment) };
}

function podNameOf({ CNI_ARGS }: CniEnvironment, args: ReadonlyMap<string, string>): PodName {
  const read = (key: string, form: RegExp): string => {
    const value = args.get(key);
    if (value === undefined || !form.test(value)) {
      throw invalidEnvironment('CNI_ARGS', CNI_ARGS, `${key}=NAME with a Kubernetes name`);
    }
    return value;
  };
  const uid = args.get('K8S_POD_UID');
  const namespace = read('K8S_POD_NAMESPACE', NAMESPACE);
  // What is there without a Pod object is no pod, and not closed until one is known.
  if (namespace === CONTAINER_NAMESPACE) {
    throw invalidEnvironment(
      'CNI_ARGS',
      CNI_ARGS,
      `no K8S_POD_NAMESPACE "${CONTAINER_NAMESPACE}": it is for containers`,
    );
  }
  return {
    namespace,
    pod: read('K8S_POD_NAME', POD),
    ...(uid === undefined || uid === '' ? {} : { uid: read('K8S_POD_UID', UID) }),
  };
}

// Attachments that could never have been ours are in nobody's way.
function validOf({ name, ...config }: z.output<typeof gcSchema>): ReadonlySet<Handle> {
  const { 'cni.dev/attachments': other, 'cni.dev/valid-attachments': listed = other } = config;
  if (listed === undefined)
    throw invalidConfig(
      '["cni.dev/valid-attachments"]: is missing, expected the attachments that stay; an empty list removes all',
    );
  return new Set(
    listed?.map(({ containerID, ifname }) => handleOf({ network: name, containerId: containerID, ifName: ifname })),
  );
}

function splitOnce(pair: string): readonly [string, string] {
  const at = pair.indexOf('=');
  return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
}

const invalidEnvironment = (name: string, value: string | undefined, expected: string): CniError =>
  new CniError(CNI_CODE.invalidEnvironment, `Cannot use ${name} ${quote(value)}: expected ${expected}`);

const invalidConfig = (why: string): CniError =>
  new CniError(CNI_CODE.invalidConfig, `Cannot use the network configuration: ${why}`);

const quote = (value: string | undefined): string =>
  value === undefined ? '(not set)' : JSON.stringify(value.slice(0, 200));

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    // The caller has an answer for "not readable".
    return undefined;
  }
}
