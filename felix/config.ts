// The agent's configuration: one JSON file, named by `--config`. Unknown keys are refused, so that a typing error is
// found at start and not at night.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { formatIssues } from '../datastore/resources/format-issues.ts';
import { subdomainName } from '../datastore/resources/metadata.ts';
import { ipSchema, portSchema } from '../datastore/resources/scalars.ts';

const absolutePath = z.string().startsWith('/', 'expected an absolute path');

const configSchema = z.strictObject({
  /** Name of this node's Node object. */
  node: subdomainName,
  datastore: z.strictObject({
    kind: z.literal('embedded'),
    /** The SQLite file that all nodes share. */
    path: absolutePath,
  }),
  /** A folder of its own, for root alone. Sockets: `cni.sock`, `control.sock`, `gobgp/gobgp.sock`; the pods' MTU in `mtu`. Lost at reboot. */
  runDirectory: absolutePath.default('/run/margay'),
  /** A folder of its own, for root alone. Journal of addresses and the spool of DELs. Survives a reboot. */
  stateDirectory: absolutePath.default('/var/lib/margay'),
  /** MTU of pod interfaces in bytes, 1280 to 65535. Absent: that of the uplink. */
  mtuBytes: z.int().min(1280).max(65535).exactOptional(),
  /**
   * `auto`: where the kernel can, nobody but the agent may change its nftables table. `off`: the table is open to other
   * programs, and what they change is repaired.
   */
  tableOwner: z.enum(['auto', 'off']).default('auto'),
  /** Whether pods may name addresses and a MAC by annotation (docs/adr/0014); runtimes always may. */
  podAddressRequests: z.enum(['honour', 'ignore']).default('honour'),
  /** Where metrics are served over TCP, in clear and to anybody who can connect. Absent: on the control socket alone. */
  metricsListen: z
    .strictObject({
      address: ipSchema,
      port: portSchema,
      /**
       * Whether pods may connect, as far as policy lets them: for a monitoring system that runs in a pod. False: this
       * node's pods reach the port on no node, whatever policy allows.
       */
      openToPods: z.boolean().default(false),
    })
    .exactOptional(),
  /**
   * Sends what policy denies to an nflog group, each rule at most so many packets in a second. Absent: nothing is logged.
   */
  logDenied: z
    .strictObject({ group: z.int().min(0).max(65535), ratePerSecond: z.int().min(1).max(1_000_000) })
    .exactOptional(),
});

export type Config = z.output<typeof configSchema>;

/** The TCP port of metrics that pods may not reach. Absent: none; loopback is closed to them in any case. */
export function closedMetricsPort({ metricsListen }: Pick<Config, 'metricsListen'>): number | undefined {
  if (metricsListen === undefined || metricsListen.openToPods) return undefined;
  return /^127\.|^::1$/.test(metricsListen.address) ? undefined : metricsListen.port;
}

/** @throws Error that names the file and the fields */
export function readConfig(path: string): Config {
  const raw: unknown = parseJson(path, readText(path));
  const parsed = configSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw new Error(`Cannot read configuration "${path}": ${formatIssues(parsed.error.issues, raw)}`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause;
    throw new Error(`Cannot read configuration "${path}": ${why}, expected a JSON file (felix/README.md)`, { cause });
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`Cannot read configuration "${path}": not JSON, expected an object`, { cause });
  }
}
