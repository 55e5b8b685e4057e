import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type IpBlock, ipBlockName, ipBlockSchema } from '../../datastore/resources/ip-block.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import { type Assignment, assignmentSchema } from '../assignment.ts';
import { adoptBlocks, type KnownBlock } from './adopt-blocks.ts';
import type { BlockHolder } from './block-holder.ts';

const record = (journal: string, more: Partial<BlockHolder> = {}): BlockHolder => ({
  ...{ journal, bootId: 'boot', netns: `netns of ${journal}` },
  ...more,
});
const holder = { record: record('mine'), isDatastoreLocal: false, mayInherit: () => true };
/** `by` absent: claimed before blocks had holders. */
const stored = (cidr: string, node: string, nodeUid?: string, by?: BlockHolder): IpBlock =>
  ipBlockSchema.parse({
    apiVersion: 'margay.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name: ipBlockName(unwrap(parseCidr(cidr))) },
    spec: {
      cidr,
      pool: 'p',
      node,
      ...(nodeUid === undefined ? {} : { nodeUid }),
      ...(by === undefined ? {} : { holder: by }),
    },
  });
const known = (cidr: string): KnownBlock => ({ cidr: unwrap(parseCidr(cidr)), pool: 'p' });
const assignment = (...ips: string[]): Assignment =>
  assignmentSchema.parse({
    handle: `net.${ips[0]}.eth0`,
    namespace: 'shop',
    pod: 'web',
    ips,
    netns: '/run/netns/web',
    hostIfName: 'mgy0',
    sequence: 1,
    assignedAt: '2026-01-01T00:00:00.000Z',
    state: 'attached',
  });

const given = (
  stored: readonly IpBlock[],
  known: readonly KnownBlock[],
  assignments: readonly Assignment[],
  keptOut: readonly string[] = [],
) => ({ stored, known, assignments, keptOut: keptOut.map((ip) => unwrap(parseIp(ip))) });

const one = '10.244.1.0/24';
const two = '10.244.7.0/24';
const ours = record('mine');
const theirs = record('theirs');
const me = { name: 'me', uid: 'new', holder };
const rows = [
  { name: 'nothing', given: given([], [], []), own: [], recreate: [], drop: [], conflicts: [] },
  {
    name: 'a block that both know',
    given: given([stored(one, 'me', 'new', ours)], [known(one)], []),
    own: [one],
    recreate: [],
    drop: [],
    conflicts: [],
  },
  {
    name: 'a block that was claimed while the Node was not there',
    given: given([stored(one, 'me')], [known(one)], []),
    own: [one],
    recreate: [],
    drop: [],
    conflicts: [],
    renew: [one],
  },
  {
    name: 'a block whose claim the journal missed',
    given: given([stored(one, 'me')], [], []),
    own: [one],
    recreate: [],
    drop: [],
    conflicts: [],
    renew: [one],
  },
  {
    name: 'blocks of this name while the Node is not there',
    node: { name: 'me', holder },
    given: given(
      [stored(one, 'me', 'old'), stored('10.244.2.0/24', 'me'), stored(two, 'me', 'old', ours)],
      [known(two)],
      [],
    ),
    own: [two],
    recreate: [],
    drop: [],
    conflicts: [],
    stranded: [one, '10.244.2.0/24'],
  },
  {
    name: 'a block of an earlier node of this name that the journal does not know',
    given: given([stored(one, 'me', 'old')], [], []),
    own: [],
    recreate: [],
    drop: [],
    conflicts: [],
    stranded: [one],
  },
  {
    name: 'a block of an earlier node of this name that the journal knows',
    given: given([stored(one, 'me', 'old')], [known(one)], [assignment('10.244.1.7')]),
    own: [one],
    recreate: [],
    drop: [],
    conflicts: [],
    renew: [one],
  },
  {
    name: 'a block that carries the uid of this node',
    given: given([stored(one, 'me', 'new', ours)], [], []),
    own: [one],
    recreate: [],
    drop: [],
    conflicts: [],
  },
  {
    name: 'a block that was claimed before blocks had holders',
    given: given([stored(one, 'me', 'new')], [known(one)], []),
    own: [one],
    recreate: [],
    drop: [],
    conflicts: [],
    renew: [one],
  },
  {
    name: 'a block of another agent of this name',
    given: given([stored(one, 'me', 'new', theirs)], [], []),
    own: [],
    recreate: [],
    drop: [],
    conflicts: [],
    stranded: [one],
  },
  {
    name: 'a block with pods that another agent of this name has now',
    given: given([stored(one, 'me', 'new', theirs)], [known(one)], [assignment('10.244.1.7')]),
    own: [],
    recreate: [],
    drop: [one],
    conflicts: ['10.244.1.7 me (another agent)'],
    stranded: [one],
  },
  {
    name: 'a block of a lost journal in this network stack',
    given: given([stored(one, 'me', 'new', record('lost', { netns: ours.netns }))], [], []),
    own: [one],
    recreate: [],
    drop: [],
    conflicts: [],
    renew: [one],
  },
  {
    name: 'a block of a lost journal in this network stack under an earlier Node',
    given: given([stored(one, 'me', 'old', record('lost', { netns: ours.netns }))], [], []),
    own: [],
    recreate: [],
    drop: [],
    conflicts: [],
    stranded: [one],
  },
  {
    name: 'a block that this journal claimed and did not write down, under an earlier Node',
    given: given([stored(one, 'me', 'old', ours)], [], []),
    own: [one],
    recreate: [],
    drop: [],
    conflicts: [],
    renew: [one],
  },
  {
    name: 'an empty block that is gone from the datastore',
    given: given([], [known(one)], []),
    own: [],
    recreate: [],
    drop: [one],
    conflicts: [],
  },
  {
    name: 'a block with pods that is gone from the datastore',
    given: given([], [known(one)], [assignment('10.244.1.7')]),
    own: [],
    recreate: [one],
    drop: [],
    conflicts: [],
  },
  {
    name: 'a block with an unknown link that is gone from the datastore',
    given: given([], [known(one), known(two)], [], ['10.244.1.7']),
    own: [],
    recreate: [one],
    drop: [two],
    conflicts: [],
  },
  {
    name: 'a block with pods that another node has now',
    given: given([stored(one, 'you')], [known(one)], [assignment('fd00:10:244::7', '10.244.1.7')]),
    own: [],
    recreate: [],
    drop: [one],
    conflicts: ['10.244.1.7 you'],
  },
  {
    name: 'a block with pods of which another node has a part',
    given: given([stored('10.244.1.128/25', 'you')], [known(one)], [assignment('10.244.1.7')]),
    own: [],
    recreate: [],
    drop: [one],
    conflicts: [],
  },
];

for (const { name, node = me, given, own, recreate, drop, conflicts, renew = [], stranded = [] } of rows) {
  test(`adoptBlocks() of ${name}`, () => {
    const adoption = adoptBlocks({ node, ...given });
    const text = (blocks: readonly { cidr: string }[]) => blocks.map(({ cidr }) => cidr);
    assert.deepEqual(text(adoption.own), own);
    assert.deepEqual(text(adoption.renew.map(({ spec }) => spec)), renew);
    assert.deepEqual(text(adoption.stranded), stranded);
    assert.deepEqual(text(adoption.recreate), recreate);
    assert.deepEqual(text(adoption.drop), drop);
    assert.deepEqual(
      adoption.conflicts.map(({ ip, owner }) => `${ip} ${owner}`),
      conflicts,
    );
  });
}
