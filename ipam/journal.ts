// The node's journal of addresses: SQLite in one file, written synchronously, so that an address is promised exactly when
// its row is committed. It remembers assignments, the order in which addresses were released, the node's own blocks, and
// the boot: after a reboot no pod is alive, and every assignment of an earlier boot is freed when the journal opens.
import { randomUUID } from 'node:crypto';
import type { SQLInputValue } from 'node:sqlite';
import type { Cidr } from '../lib/cidr.ts';
import type { Assignment } from './assignment.ts';
import { JournalError, reasonOf } from './journal-error.ts';
import { openJournalFile } from './journal-file.ts';
import type { JournalSnapshot } from './journal-snapshot.ts';
import { kernelBootId } from './kernel-stack.ts';
import type { KnownBlock } from './model/adopt-blocks.ts';

export type Journal = {
  /** Made with the file, and kept for as long as it lives. */
  readonly id: string;
  /** What it held when it was opened, without what an earlier boot left. */
  readonly snapshot: JournalSnapshot;
  readonly opening: JournalOpening;
  /** Every write is one transaction. @throws JournalError failed: nothing of it took effect */
  readonly assign: (assignment: Assignment) => void;
  /** Replaces the record of an assignment that is there. */
  readonly amend: (assignment: Assignment) => void;
  /** Frees exactly the addresses that this assignment holds. */
  readonly release: (assignment: Assignment) => void;
  readonly addBlock: (block: KnownBlock) => void;
  readonly dropBlock: (cidr: Cidr) => void;
  /** Writes as much as an assignment and changes nothing: whether there is room for one. */
  readonly rehearse: () => void;
  /** Why the last write failed; `undefined`: it did not. */
  readonly problem: () => string | undefined;
  readonly close: () => void;
};

export type JournalOpening = {
  /** Assignments of an earlier boot, freed now. */
  readonly stale: readonly Assignment[];
  /** An unusable file was moved aside; what it promised is unknown. Absent: no such thing. */
  readonly recovered?: { readonly movedTo: string; readonly why: string };
};

export type JournalOptions = {
  readonly path: string;
  readonly node: string;
  /** Absent: the kernel's. */
  readonly bootId?: string | undefined;
};

/** @throws JournalError unwritable, busy or failed */
export function openJournal({ path, node, bootId = kernelBootId() }: JournalOptions): Journal {
  const { sqlite, snapshot: found, recovered } = openJournalFile(path, node);
  const statement = (sql: string): ((...values: SQLInputValue[]) => void) => {
    const prepared = sqlite.prepare(sql);
    return (...values) => {
      prepared.run(...values);
    };
  };
  const begin = statement('BEGIN IMMEDIATE');
  const commit = statement('COMMIT');
  const setMeta = statement('INSERT OR REPLACE INTO meta VALUES (?, ?)');
  const addAssignment = statement('INSERT INTO assignment VALUES (?, ?)');
  const setAssignment = statement('UPDATE assignment SET record = ? WHERE handle = ?');
  const removeAssignment = statement('DELETE FROM assignment WHERE handle = ?');
  const forgetReleased = statement('DELETE FROM address WHERE ip = ? AND released IS NOT NULL');
  const holdAddress = statement('INSERT INTO address VALUES (?, ?, NULL)');
  const freeAddress = statement(
    'UPDATE address SET handle = NULL, released = (SELECT ifnull(max(released), 0) + 1 FROM address) ' +
      'WHERE ip = ? AND handle = ?',
  );
  const addBlock = statement('INSERT OR REPLACE INTO block VALUES (?, ?)');
  const dropBlock = statement('DELETE FROM block WHERE cidr = ?');
  const forgetAddress = statement('DELETE FROM address WHERE ip = ?');

  const storedId = sqlite.prepare("SELECT value FROM meta WHERE key = 'id'").get()?.['value'];
  // Journals of earlier releases have none.
  const id = typeof storedId === 'string' ? storedId : randomUUID();
  let hasId = id === storedId;
  let problem: string | undefined;

  const write = (what: string, steps: () => void): void => {
    try {
      begin();
      if (!hasId) setMeta('id', id);
      steps();
      commit();
      hasId = true;
      problem = undefined;
    } catch (error) {
      if (sqlite.isTransaction) sqlite.exec('ROLLBACK');
      problem = `Cannot write ${what} to journal "${path}": ${reasonOf(error)}`;
      throw new JournalError('failed', problem, { cause: error });
    }
  };
  const free = ({ handle, ips }: Assignment): void => {
    for (const ip of ips) freeAddress(ip, handle);
    removeAssignment(handle);
  };

  const stale = found.bootId === bootId ? [] : found.assignments;
  if (found.bootId !== bootId) {
    write('the boot', () => {
      stale.forEach(free);
      setMeta('boot_id', bootId);
    });
  } else if (!hasId) {
    try {
      write('its id', () => {});
    } catch (error) {
      // With a full disk the pods of this boot still get their agent, and the next write has the id with it.
      if (!(error instanceof JournalError)) throw error;
    }
  }
  return {
    id,
    snapshot: {
      ...found,
      bootId,
      assignments: stale.length > 0 ? [] : found.assignments,
      released: [...found.released, ...stale.flatMap(({ ips }) => ips)],
    },
    opening: { stale, ...(recovered === undefined ? {} : { recovered }) },
    assign: (assignment) =>
      write(`assignment "${assignment.handle}"`, () => {
        addAssignment(assignment.handle, JSON.stringify(assignment));
        for (const ip of assignment.ips) {
          forgetReleased(ip);
          holdAddress(ip, assignment.handle);
        }
        setMeta('sequence', String(assignment.sequence));
      }),
    amend: (assignment) =>
      write(`assignment "${assignment.handle}"`, () => setAssignment(JSON.stringify(assignment), assignment.handle)),
    release: (assignment) => write(`release of "${assignment.handle}"`, () => free(assignment)),
    addBlock: ({ cidr, pool }) => write(`block "${cidr}"`, () => addBlock(cidr, pool)),
    dropBlock: (cidr) => write(`block "${cidr}"`, () => dropBlock(cidr)),
    rehearse: () =>
      // What comes and goes in one transaction dirties the pages that an assignment dirties, and they are all written.
      write('a rehearsed assignment', () => {
        addAssignment(REHEARSAL, REHEARSAL.padEnd(RECORD_BYTES, '.'));
        holdAddress(REHEARSAL, REHEARSAL);
        forgetAddress(REHEARSAL);
        removeAssignment(REHEARSAL);
        setMeta('boot_id', bootId);
      }),
    problem: () => problem,
    close: () => sqlite.close(),
  };
}

/** Never committed, and neither a handle nor an address. */
const REHEARSAL = 'rehearsal';
/** As long as the record of an assignment may get. */
const RECORD_BYTES = 1000;
