import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { parseCidr } from '../lib/cidr.ts';
import { unwrap } from '../lib/result.ts';
import { type Assignment, assignmentSchema } from './assignment.ts';
import { openJournal } from './journal.ts';
import { JournalError } from './journal-error.ts';

const assignment = (sequence: number, ...ips: string[]): Assignment =>
  assignmentSchema.parse({
    handle: `net.c${sequence}.eth0`,
    namespace: 'shop',
    pod: `pod-${sequence}`,
    ips,
    netns: '/run/netns/x',
    hostIfName: 'mgy0',
    sequence,
    assignedAt: '2026-01-01T00:00:00.000Z',
    state: 'assigned',
  });
const first = assignment(1, '10.244.1.0', 'fd00:10:244::');
const second = assignment(2, '10.244.1.1');
const block = { cidr: unwrap(parseCidr('10.244.1.0/24')), pool: 'a' };

function journalPath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'margay-journal-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'state', 'ipam', 'journal.db');
}
const open = (path: string, more: { node?: string; bootId?: string } = {}) =>
  openJournal({ path, node: 'node-1', bootId: 'boot-1', ...more });
/** A journal with two assignments, closed. */
function written(t: TestContext): string {
  const path = journalPath(t);
  const journal = open(path);
  journal.addBlock(block);
  journal.assign(first);
  journal.assign(second);
  journal.close();
  return path;
}

test('rehearse() leaves the journal as it is', (t) => {
  const path = written(t);
  const { snapshot, close } = open(path);
  close();
  const journal = open(path);
  journal.rehearse();
  assert.equal(journal.problem(), undefined);
  journal.close();
  assert.deepEqual(open(path).snapshot, snapshot);
});

test('problem() is why the last write failed', (t) => {
  const journal = open(written(t));
  assert.throws(() => journal.assign(second), JournalError);
  assert.match(journal.problem() ?? '', /Cannot write assignment "net.c2.eth0" to journal/);
  journal.release(first);
  assert.equal(journal.problem(), undefined);
});

test('openJournal() finds again what was written', (t) => {
  const path = journalPath(t);
  const journal = open(path);
  assert.deepEqual(journal.snapshot, { assignments: [], blocks: [], released: [], sequence: 0, bootId: 'boot-1' });
  journal.addBlock(block);
  journal.assign(first);
  journal.assign(second);
  journal.assign(assignment(3, '10.244.1.2'));
  journal.amend({ ...second, mac: '02:00:00:00:00:01', state: 'attached' });
  journal.release(assignment(3, '10.244.1.2'));
  journal.release(first);
  journal.close();
  const { snapshot, opening } = open(path);
  assert.deepEqual(snapshot, {
    assignments: [{ ...second, mac: '02:00:00:00:00:01', state: 'attached' }],
    blocks: [block],
    released: ['10.244.1.2', ...first.ips],
    sequence: 3,
    bootId: 'boot-1',
  });
  assert.deepEqual(opening, { stale: [] });
});

test('openJournal() gives a file an id that it keeps, and a new file another one', (t) => {
  const path = journalPath(t);
  const first = open(path);
  first.close();
  const rebooted = open(path, { bootId: 'boot-2' });
  rebooted.close();
  assert.equal(rebooted.id, first.id);
  // As an earlier release left it.
  sql(path, "DELETE FROM meta WHERE key = 'id'");
  const given = open(path, { bootId: 'boot-2' });
  given.close();
  assert.notEqual(given.id, first.id);
  assert.equal(open(path, { bootId: 'boot-2' }).id, given.id);
  const other = written(t);
  writeFileSync(other, 'garbage');
  assert.notEqual(open(other).id, given.id);
});

test('openJournal() opens the journal of an earlier release also where its id cannot be written yet', (t) => {
  const path = written(t);
  const refuse = "CREATE TRIGGER refuse BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'disk is full'); END";
  sql(path, `DELETE FROM meta WHERE key = 'id'; ${refuse}`);
  const early = open(path);
  assert.ok(early.snapshot.assignments.length > 0);
  assert.match(early.problem() ?? '', /^Cannot write its id to journal ".*": disk is full$/);
  early.close();
  sql(path, 'DROP TRIGGER refuse');
  const later = open(path);
  assert.equal(later.problem(), undefined);
  later.close();
  assert.equal(open(path).id, later.id);
});

test('openJournal() keeps its file and directory from other users', (t) => {
  const path = written(t);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
  assert.equal(statSync(dirname(dirname(path))).mode & 0o777, 0o700);
});

test('openJournal() frees every assignment of an earlier boot', (t) => {
  const path = written(t);
  const journal = open(path, { bootId: 'boot-2' });
  assert.deepEqual(journal.opening.stale, [first, second]);
  assert.deepEqual(journal.snapshot.assignments, []);
  assert.deepEqual(journal.snapshot.released, [...first.ips, ...second.ips]);
  assert.deepEqual(journal.snapshot.blocks, [block]);
  journal.assign(assignment(3, '10.244.1.0'));
  journal.close();
  const again = open(path, { bootId: 'boot-2' });
  assert.deepEqual(again.opening.stale, []);
  assert.deepEqual(again.snapshot.released, ['fd00:10:244::', '10.244.1.1']);
  assert.equal(again.snapshot.sequence, 3);
});

test('assign() refuses an address that somebody has, and nothing of it stays', (t) => {
  const path = written(t);
  const journal = open(path);
  assert.throws(
    () => journal.assign(assignment(3, '10.244.1.9', '10.244.1.1')),
    (error) =>
      error instanceof JournalError && error.code === 'failed' && /Cannot write assignment/.test(error.message),
  );
  journal.close();
  const { snapshot } = open(path);
  assert.deepEqual(snapshot.assignments, [first, second]);
  assert.deepEqual([snapshot.released, snapshot.sequence], [[], 2]);
});

const sql = (path: string, text: string): void => {
  const database = new DatabaseSync(path);
  database.exec(text);
  database.close();
};

const damages: { name: string; damage: (path: string) => void; why: RegExp }[] = [
  { name: 'is empty', damage: (path) => writeFileSync(path, ''), why: /empty/ },
  { name: 'is garbage', damage: (path) => writeFileSync(path, 'garbage'.repeat(2000)), why: /not a database/ },
  {
    name: 'is cut short',
    damage: (path) => writeFileSync(path, readFileSync(path).subarray(0, 9000)),
    why: /malformed|damaged/,
  },
  {
    name: 'has a page overwritten',
    damage: (path) => {
      const bytes = readFileSync(path);
      bytes.fill(0xa5, 4096);
      writeFileSync(path, bytes);
    },
    why: /malformed|damaged/,
  },
  {
    name: 'forbids in its header to be written',
    damage: (path) => {
      const bytes = readFileSync(path);
      // "File format write version" (sqlite.org/fileformat.html 1.3.4): more than 2 is read-only.
      bytes[18] = 6;
      writeFileSync(path, bytes);
    },
    why: /readonly/,
  },
  {
    name: 'has a later format',
    damage: (path) => sql(path, 'PRAGMA user_version = 9'),
    why: /format is 9, expected 1/,
  },
  { name: 'lost a table', damage: (path) => sql(path, 'DROP TABLE block'), why: /no such table: block/ },
  {
    name: 'is the database of something else',
    damage: (path) => sql(path, 'PRAGMA application_id = 7'),
    why: /not a Margay journal/,
  },
  {
    name: 'belongs to another node',
    damage: (path) => sql(path, "UPDATE meta SET value = 'node-9' WHERE key = 'node'"),
    why: /belongs to node "node-9", expected "node-1"/,
  },
  {
    name: 'has a record that is no JSON',
    damage: (path) => sql(path, "UPDATE assignment SET record = '{' WHERE handle LIKE '%c1%'"),
    why: /assignment "net.c1.eth0" cannot be read/,
  },
  {
    name: 'has a record under a wrong handle',
    damage: (path) => sql(path, "UPDATE assignment SET record = replace(record, 'net.c2', 'net.c7')"),
    why: /assignment "net.c2.eth0" cannot be read/,
  },
  {
    name: 'promises one address twice',
    damage: (path) => sql(path, "UPDATE assignment SET record = replace(record, '10.244.1.1', '10.244.1.0')"),
    why: /address "10.244.1.0" of assignment "net.c2.eth0" belongs to another one/,
  },
  {
    name: 'holds an address without assignment',
    damage: (path) => sql(path, "INSERT INTO address VALUES ('10.244.1.77', 'net.c1.eth0', NULL)"),
    why: /address "10.244.1.77" is used, but assignment "net.c1.eth0" lacks it/,
  },
  {
    name: 'has an address that is none',
    damage: (path) => sql(path, "INSERT INTO address VALUES ('nonsense', NULL, 1)"),
    why: /cannot be read/,
  },
  {
    name: 'counts backwards',
    damage: (path) => sql(path, "UPDATE meta SET value = '1' WHERE key = 'sequence'"),
    why: /sequence 2, expected at most 1/,
  },
];

for (const { name, damage, why } of damages) {
  test(`openJournal() moves a file aside that ${name}, and starts a new one`, (t) => {
    const path = written(t);
    damage(path);
    const bytes = readFileSync(path);
    const journal = open(path);
    assert.deepEqual(journal.snapshot.assignments, []);
    assert.deepEqual(journal.snapshot.blocks, []);
    assert.match(journal.opening.recovered?.why ?? '', why);
    assert.equal(journal.opening.recovered?.movedTo, `${path}.corrupt-1`);
    assert.equal(readFileSync(`${path}.corrupt-1`).length, bytes.length);
    journal.assign(first);
    journal.close();
    const again = open(path);
    assert.equal(again.opening.recovered, undefined);
    assert.deepEqual(again.snapshot.assignments, [first]);
  });
}

test('openJournal() keeps every unusable file', (t) => {
  const path = written(t);
  for (let i = 0; i < 3; i++) {
    writeFileSync(path, `garbage ${i}`);
    open(path).close();
  }
  const names = readdirSync(dirname(path)).filter((name) => name.includes('corrupt'));
  assert.deepEqual(names.sort(), ['journal.db.corrupt-1', 'journal.db.corrupt-2', 'journal.db.corrupt-3']);
});

test('openJournal() says when another process has it open', (t) => {
  const path = written(t);
  const journal = open(path);
  assert.throws(
    () => open(path),
    (error) =>
      error instanceof JournalError && error.code === 'busy' && /expected one agent per node/.test(error.message),
  );
  journal.close();
  assert.equal(open(path).snapshot.assignments.length, 2);
});

test('openJournal() says when the place cannot be used', (t) => {
  const path = journalPath(t);
  mkdirSync(path, { recursive: true });
  const inFile = join(journalPath(t), 'x');
  mkdirSync(dirname(dirname(inFile)), { recursive: true });
  writeFileSync(dirname(inFile), 'a file');
  for (const bad of [path, inFile, '/proc/margay/journal.db']) {
    assert.throws(
      () => open(bad),
      (error) =>
        error instanceof JournalError && error.code === 'unwritable' && error.message.includes(`journal "${bad}"`),
    );
  }
  assert.ok(existsSync(path));
});
