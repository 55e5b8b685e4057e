import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCidr } from '../../lib/cidr.ts';
import { unwrap } from '../../lib/result.ts';
import { type BlockHolder, isEarlierLife, isSameHolder, type OwnHolder } from './block-holder.ts';

const cidr = unwrap(parseCidr('10.244.1.0/24'));
const record: BlockHolder = { journal: 'j', bootId: 'boot', netns: '7' };
const own = (more: Partial<OwnHolder> = {}): OwnHolder => ({
  ...{ record, isDatastoreLocal: false, mayInherit: () => true },
  ...more,
});
const onMachine = own({ record: { ...record, systemUuid: 'm' } });
const local = own({ isDatastoreLocal: true });
const running = own({ mayInherit: (block) => block !== cidr });
const localRunning = own({ isDatastoreLocal: true, mayInherit: () => false });

const rows: { name: string; given?: OwnHolder; stored: Partial<BlockHolder>; expected: boolean }[] = [
  { name: 'itself', stored: {}, expected: true },
  { name: 'a lost journal in this network stack', stored: { journal: 'x' }, expected: true },
  { name: 'a journal in another network namespace', stored: { journal: 'x', netns: '8' }, expected: false },
  { name: 'a journal of another boot', stored: { journal: 'x', bootId: 'y' }, expected: false },
  { name: 'this journal before a reboot', stored: { bootId: 'y', netns: '8' }, expected: true },
  { name: 'this journal before its container began anew', stored: { netns: '8' }, expected: true },
  {
    name: 'a lost journal of an earlier boot of this machine',
    given: onMachine,
    stored: { journal: 'x', bootId: 'y', netns: '8', systemUuid: 'm' },
    expected: true,
  },
  {
    name: 'a journal in another network namespace of this machine',
    given: onMachine,
    stored: { journal: 'x', netns: '8', systemUuid: 'm' },
    expected: false,
  },
  {
    name: 'a journal of another machine',
    given: onMachine,
    stored: { journal: 'x', bootId: 'y', systemUuid: 'n' },
    expected: false,
  },
  {
    name: 'this journal on the machine that it was copied from',
    given: onMachine,
    stored: { bootId: 'y', systemUuid: 'n' },
    expected: false,
  },
  { name: 'this journal on a machine without UUID', given: onMachine, stored: { bootId: 'y' }, expected: true },
  {
    name: 'a lost journal of an earlier boot, where other kernels do not reach the datastore',
    given: local,
    stored: { journal: 'x', bootId: 'y', netns: '8' },
    expected: true,
  },
  {
    name: 'a journal in another network namespace, where other kernels do not reach the datastore',
    given: local,
    stored: { journal: 'x', netns: '8' },
    expected: false,
  },
  {
    name: 'a journal that wrote itself in while this agent runs',
    given: running,
    stored: { journal: 'x' },
    expected: false,
  },
  {
    name: 'a journal of another boot that wrote itself in while this agent runs',
    given: localRunning,
    stored: { journal: 'x', bootId: 'y' },
    expected: false,
  },
  {
    name: 'a copy of this journal that wrote itself in while this agent runs',
    given: localRunning,
    stored: { netns: '8' },
    expected: false,
  },
  { name: 'itself, while it runs', given: running, stored: {}, expected: true },
  { name: 'this journal in an earlier boot, while it runs', given: running, stored: { bootId: 'y' }, expected: true },
];

for (const { name, given = own(), stored, expected } of rows) {
  test(`isEarlierLife() of ${name}`, () => {
    assert.equal(isEarlierLife({ ...record, ...stored }, cidr, given), expected);
  });
}

test('isSameHolder() compares everything', () => {
  const full: BlockHolder = { ...record, systemUuid: 'm' };
  assert.equal(isSameHolder({ ...full }, full), true);
  assert.equal(isSameHolder(undefined, full), false);
  for (const key of ['journal', 'bootId', 'netns', 'systemUuid']) {
    assert.equal(isSameHolder({ ...full, [key]: 'other' }, full), false, key);
  }
});
