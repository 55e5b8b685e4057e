// Reads everything that a journal holds and checks that its tables agree. A journal that contradicts itself is not
// trusted in part: its reader gets one reason instead.
import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { cidrSchema, ipSchema } from '../datastore/resources/scalars.ts';
import type { Ip } from '../lib/ip.ts';
import { err, ok, type Result } from '../lib/result.ts';
import { type Assignment, assignmentSchema } from './assignment.ts';
import type { KnownBlock } from './model/adopt-blocks.ts';

export type JournalSnapshot = {
  readonly assignments: readonly Assignment[];
  readonly blocks: readonly KnownBlock[];
  /** Released addresses, oldest first. */
  readonly released: readonly Ip[];
  /** The last sequence number that was given. */
  readonly sequence: number;
  /** The boot that the assignments belong to. Absent in a new journal. */
  readonly bootId?: string;
};

const metaSchema = z.object({ sequence: z.coerce.number().int().min(0), boot_id: z.string().exactOptional() });
const addressSchema = z.array(z.object({ ip: ipSchema, handle: z.string().nullable() }));
const assignmentRowSchema = z.array(z.object({ handle: z.string(), record: z.string() }));
const blockSchema = z.array(z.object({ cidr: cidrSchema, pool: z.string() }));

/** The error says what is wrong. @throws an SQLite error when the file cannot be read */
export function readSnapshot(sqlite: DatabaseSync): Result<JournalSnapshot> {
  const rows = (sql: string): readonly unknown[] => sqlite.prepare(sql).all();
  const metaRows = rows('SELECT key, value FROM meta') as { key: string; value: string }[];
  const meta = metaSchema.safeParse(Object.fromEntries(metaRows.map(({ key, value }) => [key, value])));
  const blocks = blockSchema.safeParse(rows('SELECT cidr, pool FROM block ORDER BY cidr'));
  const addresses = addressSchema.safeParse(rows('SELECT ip, handle FROM address ORDER BY released'));
  const assignments = readAssignments(rows('SELECT handle, record FROM assignment'));
  if (!assignments.ok) return assignments;
  for (const parsed of [meta, blocks, addresses]) {
    if (!parsed.success) return err(`it holds a row that cannot be read: ${parsed.error.issues[0]?.message}`);
  }
  if (!meta.success || !blocks.success || !addresses.success) return err('it holds a row that cannot be read');
  const contradiction = findContradiction(assignments.value, addresses.data, meta.data.sequence);
  if (contradiction !== undefined) return err(contradiction);
  return ok({
    assignments: assignments.value,
    blocks: blocks.data,
    released: addresses.data.filter(({ handle }) => handle === null).map(({ ip }) => ip),
    sequence: meta.data.sequence,
    ...(meta.data.boot_id === undefined ? {} : { bootId: meta.data.boot_id }),
  });
}

function readAssignments(rows: readonly unknown[]): Result<readonly Assignment[]> {
  const assignments: Assignment[] = [];
  const parsedRows = assignmentRowSchema.safeParse(rows);
  if (!parsedRows.success) return err('its assignments cannot be read');
  for (const { handle, record } of parsedRows.data) {
    const parsed = assignmentSchema.safeParse(parseJson(record));
    if (!parsed.success || parsed.data.handle !== handle) return err(`assignment "${handle}" cannot be read`);
    assignments.push(parsed.data);
  }
  return ok(assignments.sort((a, b) => a.sequence - b.sequence));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema refuses `undefined`, and the caller names the row.
    return undefined;
  }
}

function findContradiction(
  assignments: readonly Assignment[],
  addresses: readonly { readonly ip: Ip; readonly handle: string | null }[],
  sequence: number,
): string | undefined {
  const holders = new Map<string, string>();
  for (const { ip, handle } of addresses) if (handle !== null) holders.set(ip, handle);
  for (const { handle, ips, sequence: own } of assignments) {
    if (own > sequence) return `assignment "${handle}" has sequence ${own}, expected at most ${sequence}`;
    for (const ip of ips) {
      if (holders.get(ip) !== handle) return `address "${ip}" of assignment "${handle}" belongs to another one`;
      holders.delete(ip);
    }
  }
  const [stray] = holders;
  return stray === undefined ? undefined : `address "${stray[0]}" is used, but assignment "${stray[1]}" lacks it`;
}
