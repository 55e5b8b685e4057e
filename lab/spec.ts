// What a lab consists of, decided before anything is made: names and addresses on the 198.51.100.0/24 segment. Stored as
// lab.json in the lab's directory, so that every later command knows the same.
import { z } from 'zod';
import { err, ok, type Result } from '../lib/result.ts';

export const TOR_KINDS = ['bird', 'frr', 'gobgp'] as const;
/** The router that plays the top of the rack. */
export type TorKind = (typeof TOR_KINDS)[number];

/** AS number of the nodes. */
export const NODE_ASN = 64512;
/** AS number of the ToR. */
export const TOR_ASN = 64600;
export const TOR_ADDRESS = '198.51.100.1';
/** The one pool of a new lab. */
export const POD_POOL = '10.244.0.0/16';
/** Addresses on the ToR's loopback that play clients outside of the cluster. */
export const OUTSIDE_ADDRESSES = ['203.0.113.10', '203.0.113.200'] as const;
export const SEGMENT_LENGTH = 24;

const MAX_NODES = 100;

export const labSpecSchema = z.strictObject({
  name: z.string(),
  tor: z.object({ kind: z.enum(TOR_KINDS), address: z.string() }),
  nodes: z.array(z.object({ name: z.string(), address: z.string() })),
  /** `starting`: being made by the process `startedBy`, and broken if that is gone. */
  state: z.enum(['starting', 'running']),
  /** `process`: of no use without the process `startedBy`, which removes it at its end. */
  lifetime: z.enum(['process', 'until-down']),
  startedBy: z.object({
    pid: z.int(),
    /** Field 22 of /proc/PID/stat, which tells a process from a later one with its number. */
    startTime: z.string(),
  }),
});

export type LabSpec = z.output<typeof labSpecSchema>;
export type LabNode = LabSpec['nodes'][number];

export function parseLabName(text: string): Result<string> {
  if (/^[a-z0-9]{1,12}$/.test(text)) return ok(text);
  return err(`Cannot use lab name "${text}": expected 1 to 12 lower case letters and digits`);
}

export function parseTorKind(text: string): Result<TorKind> {
  const kind = TOR_KINDS.find((known) => known === text);
  return kind === undefined ? err(`Cannot use ToR "${text}": unknown, expected ${TOR_KINDS.join(', ')}`) : ok(kind);
}

export function parseNodeCount(text: string): Result<number> {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MAX_NODES) return ok(count);
  return err(`Cannot make "${text}" nodes: expected 1 to ${MAX_NODES}`);
}

/** The plan of a lab of `nodes` nodes: ToR at .1, nodes from .11 on. */
export function planLab(
  given: {
    readonly name: string;
    readonly nodes: number;
    readonly tor: TorKind;
    readonly lifetime?: LabSpec['lifetime'];
  },
  startedBy: LabSpec['startedBy'],
): LabSpec {
  return {
    name: given.name,
    tor: { kind: given.tor, address: TOR_ADDRESS },
    nodes: Array.from({ length: given.nodes }, (_, index) => ({
      name: `node${index + 1}`,
      address: `198.51.100.${index + 11}`,
    })),
    state: 'starting',
    lifetime: given.lifetime ?? 'until-down',
    startedBy,
  };
}
