import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unwrap } from '../lib/result.ts';
import { admit, type Write } from './admission.ts';
import { isOfKind, type Resource } from './resources/index.ts';
import { parseResource } from './resources/parse.ts';

const pool = (name: string, cidr: string, blockSize?: number): Resource =>
  unwrap(
    parseResource({
      apiVersion: 'projectcalico.org/v3',
      kind: 'IPPool',
      metadata: { name },
      spec: { cidr, blockSize },
    }),
  );
const block = (name: string, cidr: string, poolName = 'a', more: object = {}): Resource =>
  unwrap(
    parseResource({
      apiVersion: 'margay.dev/v1alpha1',
      kind: 'IPBlock',
      metadata: { name },
      spec: { cidr, pool: poolName, node: 'node1', ...more },
    }),
  );
const create = (resource: Resource): Write => ({ kind: 'create', resource });
const a = pool('a', '10.244.0.0/16');
const b1 = block('10-244-3-0-24', '10.244.3.0/24');
const holder = { journal: 'j', bootId: 'b', netns: '1' };
const b1Held = block('10-244-3-0-24', '10.244.3.0/24', 'a', { holder });

const rows: readonly { name: string; given: Write; stored?: readonly Resource[]; expected: string | undefined }[] = [
  { name: 'a pool of its own', given: create(pool('b', '10.245.0.0/16')), expected: undefined },
  {
    name: 'an overlapping pool',
    given: create(pool('b', '10.244.128.0/17')),
    expected:
      'Cannot accept IPPool "b": spec.cidr: "10.244.128.0/17" overlaps "10.244.0.0/16" of IPPool "a", expected a range of its own',
  },
  { name: 'the same pool again', given: { kind: 'update', resource: a, old: a }, expected: undefined },
  {
    name: 'a default block size that is written out',
    given: { kind: 'update', resource: pool('a', '10.244.0.0/16', 24), old: a },
    expected: undefined,
  },
  {
    name: 'another CIDR of a pool',
    given: { kind: 'update', resource: pool('a', '10.240.0.0/16'), old: a },
    expected: 'Cannot accept IPPool "a": spec.cidr: "10.240.0.0/16", expected "10.244.0.0/16" because it cannot change',
  },
  {
    name: 'another block size of a pool',
    given: { kind: 'update', resource: pool('a', '10.244.0.0/16', 26), old: a },
    expected: 'Cannot accept IPPool "a": spec.blockSize: 26, expected 24 because it cannot change',
  },
  {
    name: 'a pool of link-local addresses',
    given: create(pool('ll', '169.254.0.0/16')),
    expected:
      'Cannot accept IPPool "ll": spec.cidr: "169.254.0.0/16" overlaps "169.254.0.0/16", which is link-local, expected a range that pods can have',
  },
  {
    name: 'one that is stored, which may be disabled',
    given: { kind: 'update', resource: pool('ll', 'fe80::/64'), old: pool('ll', 'fe80::/64') },
    expected: undefined,
  },
  { name: 'the end of an unused pool', given: { kind: 'delete', key: 'IPPool/a' }, stored: [a], expected: undefined },
  {
    name: 'the end of a used pool',
    given: { kind: 'delete', key: 'IPPool/a' },
    stored: [a, b1],
    expected:
      'Cannot delete IPPool "a": 1 block is cut from it, first "10.244.3.0/24" of node "node1", expected none: set "disabled", and they go back once they have been empty for ten minutes; with "autoAllocateBlocks" false, delete them then',
  },
  {
    name: 'a pool that takes the place of an unreadable one, with other blocks',
    given: { kind: 'update', resource: pool('a', '10.244.0.0/16', 26), old: undefined },
    stored: [b1],
    expected:
      'Cannot accept IPPool "a": block "10.244.3.0/24" of node "node1" is cut from it, expected a range around that, in blocks of /24',
  },
  {
    name: 'a pool that takes the place of an unreadable one, elsewhere',
    given: { kind: 'update', resource: pool('a', '10.245.0.0/16'), old: undefined },
    stored: [b1],
    expected:
      'Cannot accept IPPool "a": block "10.244.3.0/24" of node "node1" is cut from it, expected a range around that, in blocks of /24',
  },
  {
    name: 'a pool that takes the place of an unreadable one, around its blocks',
    given: { kind: 'update', resource: a, old: undefined },
    stored: [b1, block('10-245-3-0-24', '10.245.3.0/24', 'b')],
    expected: undefined,
  },
  { name: 'a block', given: create(b1), expected: undefined },
  {
    name: 'a block by another name',
    given: create(block('b', '10.244.3.0/24')),
    expected: 'Cannot accept IPBlock "b": metadata.name: expected "10-244-3-0-24"',
  },
  {
    name: 'a block of no pool',
    given: create(block('10-244-3-0-24', '10.244.3.0/24', 'x')),
    expected: 'Cannot accept IPBlock "10-244-3-0-24": spec.pool: IPPool "x" is not there, expected an existing pool',
  },
  {
    name: 'a block outside its pool',
    given: create(block('10-245-3-0-24', '10.245.3.0/24')),
    expected:
      'Cannot accept IPBlock "10-245-3-0-24": spec.cidr: "10.245.3.0/24" is outside "10.244.0.0/16" of IPPool "a", expected a part of it',
  },
  {
    name: 'a block of another size',
    given: create(block('10-244-3-0-25', '10.244.3.0/25')),
    expected:
      'Cannot accept IPBlock "10-244-3-0-25": spec.cidr: "10.244.3.0/25", expected a /24 as IPPool "a" has them',
  },
  {
    name: 'a block that changes its owner after its pool went',
    given: { kind: 'update', resource: b1, old: b1 },
    stored: [],
    expected: undefined,
  },
  { name: 'a block that gets a holder', given: { kind: 'update', resource: b1Held, old: b1 }, expected: undefined },
  {
    name: 'a block that loses its holder',
    given: { kind: 'update', resource: b1, old: b1Held },
    expected:
      'Cannot accept IPBlock "10-244-3-0-24": spec.holder is absent, expected it to stay: delete the IPBlock if nothing uses the block any more',
  },
  { name: 'the end of a block', given: { kind: 'delete', key: 'IPBlock/10-244-3-0-24' }, expected: undefined },
];

for (const { name, given, stored = [a], expected } of rows) {
  test(`admit() judges ${name}`, () => {
    const admitted = admit(given, (kind) => stored.flatMap((one) => (isOfKind(one, kind) ? [one] : [])));
    assert.equal(admitted.ok ? undefined : admitted.error, expected);
  });
}

const useless = [
  ...['0.0.0.0/0', '0.0.0.0/24', '127.0.0.0/8', '169.254.1.0/24', '224.0.0.0/4', '239.255.0.0/16', '255.255.255.0/24'],
  ...['128.0.0.0/1', '::/0', '::/112', '::1/128', 'fe80::/64', 'fe00::/7', 'ff00::/8', 'ff02::/120'],
];
for (const cidr of useless) {
  test(`admit() refuses a pool of ${cidr}`, () => {
    const admitted = admit(create(pool('x', cidr, cidr.includes(':') ? 128 : 32)), () => []);
    assert.match(admitted.ok ? '' : admitted.error, /which is [-a-z]+, expected a range that pods can have$/);
  });
}

for (const cidr of ['10.0.0.0/8', '100.64.0.0/10', '192.168.0.0/16', '240.0.0.0/8', 'fd00::/8', '2001:db8::/32']) {
  test(`admit() takes a pool of ${cidr}`, () => {
    assert.equal(admit(create(pool('x', cidr)), () => []).ok, true);
  });
}
