// Power loss and kills seen from the journal's files: the write-ahead log as the disk may have it, cut off anywhere.
//
// The journal runs with synchronous=NORMAL: a commit is in the page cache when it returns, so it survives every death of
// the process; a power cut may take the last commits, but only whole ones from the end, and the boot they belong to.
import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseCidr } from '../lib/cidr.ts';
import { unwrap } from '../lib/result.ts';
import { assignmentSchema } from './assignment.ts';
import { type Journal, openJournal } from './journal.ts';

/** SQLite's file format, "WAL frame header" and "WAL header": 24 bytes and a page; 32 bytes at the beginning. */
const PAGE = 4096;
/** Hundreds of copies are opened, and each closing would wait for a disk. */
const MEMORY = '/dev/shm';
const FRAME = 24 + PAGE;
const HEADER = 32;

const assignment = (sequence: number) =>
  assignmentSchema.parse({
    handle: `net.c${sequence}.eth0`,
    ...{ namespace: 'shop', pod: `pod-${sequence}`, ips: [`10.244.1.${sequence}`], netns: '/run/netns/x' },
    ...{ hostIfName: 'mgy0', sequence, assignedAt: '2026-01-01T00:00:00.000Z', state: 'assigned' },
  });
const block = { cidr: unwrap(parseCidr('10.244.1.0/24')), pool: 'a' };

type Moment = { readonly name: string; readonly acknowledged: readonly string[]; readonly walBytes: number };

test('every commit survives a kill, and a log that is cut off anywhere gives an earlier moment, never a mixture', (t) => {
  const { path, copy } = folder(t);
  const journal = open(path);
  const moments: Moment[] = [];
  const held = new Set<string>();
  const acknowledge = (name: string): void => {
    moments.push({ name, acknowledged: [...held].sort(), walBytes: statSync(`${path}-wal`).size });
    // As after SIGKILL: all that was written is there.
    assert.deepEqual(pods(copy(), 'boot-1'), [...held].sort(), name);
  };
  journal.addBlock(block);
  acknowledge('block');
  for (let n = 1; n <= 6; n++) {
    journal.assign(assignment(n));
    held.add(`pod-${n}`);
    acknowledge(`assign ${n}`);
    if (n % 3 !== 0) continue;
    journal.release(assignment(n - 1));
    held.delete(`pod-${n - 1}`);
    acknowledge(`release ${n - 1}`);
  }

  const { walBytes: end } = moments.at(-1) ?? assert.fail('no moment');
  const cuts = new Set<number>([0, 1, HEADER - 1, HEADER, end - 1, end]);
  for (let at = HEADER; at < end; at += FRAME) for (const more of [0, 25, FRAME - 1]) cuts.add(at + more);
  for (const cut of [...cuts].filter((each) => each <= end)) {
    // What was whole before the cut, and nothing of what was not.
    const expected = moments.filter(({ walBytes }) => walBytes <= cut).at(-1)?.acknowledged ?? [];
    const cutOff = (): string => {
      const at = copy();
      truncateSync(`${at}-wal`, cut);
      return at;
    };
    assert.deepEqual(pods(cutOff(), 'boot-1'), expected, `cut at ${cut} of ${end}`);
    // A power cut ends the boot: no assignment outlives it, and the journal is not thrown away.
    assert.deepEqual(pods(cutOff(), 'boot-2'), [], `cut at ${cut} of ${end}, next boot`);
  }

  // Frames whose bytes did not all reach the disk are as if they had been cut off.
  const bytes = readFileSync(`${path}-wal`);
  for (let at = HEADER + 100; at < end; at += FRAME) {
    const torn = copy();
    const flipped = bytes.map((byte, n) => (n >= at && n < at + 512 ? byte ^ 0xff : byte));
    writeFileSync(`${torn}-wal`, flipped);
    const expected = moments.filter(({ walBytes }) => walBytes <= at - 100).at(-1)?.acknowledged ?? [];
    assert.deepEqual(pods(torn, 'boot-1'), expected, `torn at ${at}`);
  }
  journal.close();
});

test('assignments of an earlier boot are gone for good when the journal opens', (t) => {
  const { path } = folder(t);
  const first = open(path, 'boot-1');
  first.addBlock(block);
  first.assign(assignment(1));
  first.close();
  const second = open(path, 'boot-2');
  assert.deepEqual(second.snapshot.assignments, []);
  assert.deepEqual(
    second.opening.stale.map(({ pod }) => pod),
    ['pod-1'],
  );
  second.close();
  // The machine may be cut off again before anything is assigned.
  const again = open(path, 'boot-1');
  assert.deepEqual([again.snapshot.assignments, again.snapshot.released], [[], ['10.244.1.1']]);
  again.close();
});

/** The pods with an assignment, by a new opening; the file must not have been moved aside. */
function pods(path: string, bootId: string): readonly string[] {
  const journal = open(path, bootId);
  assert.equal(journal.opening.recovered, undefined, 'it is sound');
  const found = journal.snapshot.assignments.map(({ pod }) => pod).sort();
  for (const { ip } of addressesOf(journal))
    assert.equal(addressesOf(journal).filter((each) => each.ip === ip).length, 1);
  journal.close();
  return found;
}

const addressesOf = ({ snapshot }: Journal) =>
  snapshot.assignments.flatMap(({ ips, handle }) => ips.map((ip) => ({ ip, handle })));

const open = (path: string, bootId = 'boot-1'): Journal => openJournal({ path, node: 'node-1', bootId });

function folder(t: TestContext): { readonly path: string; readonly copy: () => string } {
  const directory = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'margay-power-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'journal.db');
  let count = 0;
  return {
    path,
    copy: () => {
      const target = join(directory, `copy-${count++}.db`);
      for (const suffix of ['', '-wal']) {
        if (existsSync(`${path}${suffix}`)) copyFileSync(`${path}${suffix}`, `${target}${suffix}`);
      }
      return target;
    },
  };
}
