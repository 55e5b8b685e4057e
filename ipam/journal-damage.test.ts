// Random damage to the journal's files: it opens as it was at some moment, or it is moved aside with a reason, and
// whichever of the two: no address has two holders.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { parseCidr } from '../lib/cidr.ts';
import { unwrap } from '../lib/result.ts';
import { type Assignment, assignmentSchema } from './assignment.ts';
import { type Journal, openJournal } from './journal.ts';
import { JournalError } from './journal-error.ts';

/** Hundreds of journals are written, and each would wait for a disk. */
const MEMORY = '/dev/shm';

const assignment = (sequence: number, ...ips: readonly string[]): Assignment =>
  assignmentSchema.parse({
    ...{ handle: `net.c${sequence}.eth0`, namespace: 'shop', pod: `pod-${sequence}`, ips, netns: '/run/netns/x' },
    ...{ hostIfName: 'mgy0', sequence, assignedAt: '2026-01-01T00:00:00.000Z', state: 'assigned' },
  });
const pods = Array.from({ length: 16 }, (_, n) => assignment(n + 1, `10.244.1.${n}`, `fd00:10:244::${n + 1}`));

type Files = { readonly db: Buffer; readonly wal: Buffer };

/** A journal in three states of life: all of it in the log of a killed process, closed, and half and half. */
function journals(t: TestContext): readonly Files[] {
  const path = join(folder(t), 'journal.db');
  const files = (): Files => ({
    db: readFileSync(path),
    wal: existsSync(`${path}-wal`) ? readFileSync(`${path}-wal`) : Buffer.alloc(0),
  });
  const first = open(path);
  first.addBlock({ cidr: unwrap(parseCidr('10.244.1.0/24')), pool: 'a' });
  first.addBlock({ cidr: unwrap(parseCidr('fd00:10:244::/120')), pool: 'six' });
  for (const each of pods.slice(0, 8)) first.assign(each);
  for (const each of pods.slice(0, 3)) first.release(each);
  const killed = files();
  first.close();
  const closed = files();
  const second = open(path);
  for (const each of pods.slice(8)) second.assign(each);
  for (const each of pods.slice(6, 10)) second.release(each);
  const half = files();
  second.close();
  return [killed, closed, half];
}

type Edit = { readonly file: keyof Files; readonly at: number } & (
  | { readonly kind: 'flip'; readonly bit: number }
  | { readonly kind: 'zero'; readonly length: number }
  | { readonly kind: 'noise'; readonly bytes: Uint8Array }
  | { readonly kind: 'cut' }
);

const where = { file: fc.constantFrom('db' as const, 'wal' as const), at: fc.nat(1 << 20) };
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ ...where, kind: fc.constant('flip' as const), bit: fc.nat(7) }),
  // The header says how everything else is to be read.
  fc.record({ ...where, kind: fc.constant('flip' as const), bit: fc.nat(7), at: fc.nat(99) }),
  fc.record({ ...where, kind: fc.constant('zero' as const), length: fc.nat(5000) }),
  fc.record({ ...where, kind: fc.constant('noise' as const), bytes: fc.uint8Array({ maxLength: 64 }) }),
  fc.record({ ...where, kind: fc.constant('cut' as const) }),
);

function damaged(files: Files, edits: readonly Edit[]): Files {
  const result = { db: Buffer.from(files.db), wal: Buffer.from(files.wal) };
  for (const each of edits) {
    const bytes = result[each.file];
    if (bytes.length === 0) continue;
    const at = each.at % bytes.length;
    switch (each.kind) {
      case 'flip':
        bytes[at] = (bytes[at] ?? 0) ^ (1 << each.bit);
        break;
      case 'zero':
        bytes.subarray(at, at + each.length).fill(0);
        break;
      case 'noise':
        bytes.set(each.bytes.subarray(0, bytes.length - at), at);
        break;
      case 'cut':
        result[each.file] = bytes.subarray(0, at);
        break;
      default:
        each satisfies never;
    }
  }
  return result;
}

test('a journal that was damaged anywhere opens or is moved aside, and gives no address to two', (t) => {
  const lives = journals(t);
  const directory = folder(t);
  let count = 0;
  const property = (life: number, edits: readonly Edit[]): void => {
    const path = join(directory, String(count++), 'journal.db');
    const { db, wal } = damaged(lives[life] ?? assert.fail(), edits);
    mkdirSync(dirname(path));
    writeFileSync(path, db);
    if (wal.length > 0) writeFileSync(`${path}-wal`, wal);
    try {
      const journal = open(path);
      const { recovered } = journal.opening;
      if (recovered !== undefined) {
        assert.match(recovered.why, /\w/);
        assert.ok(existsSync(recovered.movedTo));
        assert.deepEqual(journal.snapshot.assignments, []);
      }
      const held = noAddressTwice(journal);
      // Who asks for an address that somebody has gets nothing, and a pod that the journal does not know gets one.
      for (const ip of held) assert.throws(() => journal.assign(assignment(99, ip)), isJournalError);
      journal.assign(assignment(100, '10.244.1.200'));
      journal.close();
      const again = open(path);
      assert.equal(again.opening.recovered, undefined);
      assert.ok(noAddressTwice(again).has('10.244.1.200'));
      again.close();
    } finally {
      rmSync(join(directory, String(count - 1)), { recursive: true });
    }
  };
  const life = fc.nat(lives.length - 1);
  fc.assert(fc.property(life, fc.array(edit, { minLength: 1, maxLength: 3 }), property), {
    numRuns: Number(process.env['MARGAY_RUNS'] ?? 300),
  });
});

/** The addresses that somebody has. */
function noAddressTwice({ snapshot }: Journal): ReadonlySet<string> {
  const held = snapshot.assignments.flatMap(({ ips }) => ips);
  const all = [...held, ...snapshot.released];
  assert.deepEqual([...all].sort(), [...new Set(all)].sort(), 'held or released, and once');
  return new Set<string>(held);
}

const isJournalError = (error: unknown): boolean => error instanceof JournalError;

const open = (path: string): Journal => openJournal({ path, node: 'node-1', bootId: 'boot-1' });

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'margay-damage-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
