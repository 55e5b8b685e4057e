import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  NODE_CLUSTER_ID_ANNOTATION as CLUSTER_ID,
  type Node,
  NODE_CHOSEN_REFLECTOR_ANNOTATION as SINCE,
} from '../../datastore/resources/node.ts';
import { chooseReflectors } from './choose-reflectors.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');
const SETTLE = 60_000;

type Given = {
  readonly zone?: string;
  /** Chosen that long ago, in seconds. */
  readonly chosen?: number;
  readonly user?: true;
  readonly ready?: 'True' | 'False' | 'Unknown';
  readonly unschedulable?: true;
  readonly storage?: true;
};

function node(name: string, { zone = 'a', chosen, user, ready, unschedulable, storage }: Given = {}): Node {
  const since = chosen === undefined ? {} : { [SINCE]: new Date(NOW - chosen * 1000).toISOString() };
  const id = chosen === undefined && user === undefined ? {} : { [CLUSTER_ID]: '244.0.0.1' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: { 'topology.kubernetes.io/zone': zone, ...(storage && { storage: 'true' }) },
      annotations: { ...id, ...since },
    },
    spec: unschedulable === undefined ? {} : { unschedulable },
    status: ready === undefined ? {} : { conditions: [{ type: 'Ready', status: ready }] },
  };
}

const choose = (nodes: readonly Node[], perZone = 2) =>
  chooseReflectors({
    nodes,
    perZone,
    mayReflect: ({ metadata }) => metadata.labels?.['storage'] === undefined,
    nowMs: NOW,
    settleMs: SETTLE,
  });

/** `+name` for each that comes, `-name` for each that goes. */
const print = (nodes: readonly Node[], perZone?: number): string => {
  const { add, remove } = choose(nodes, perZone);
  return [...add.map((each) => `+${each.node}`), ...remove.map((each) => `-${each}`)].join(' ');
};

const ROWS: readonly (readonly [name: string, given: readonly Node[], expected: string])[] = [
  ['two of three, by a hash of their names', [node('n1'), node('n2'), node('n3')], '+n1 +n2'],
  ['each zone has its own', [node('n1'), node('n2', { zone: 'b' })], '+n1 +n2'],
  ['enough is enough', [node('n1', { chosen: 5 }), node('n2', { chosen: 900 }), node('n3')], ''],
  ['those of a user count, and stay', [node('n1', { user: true }), node('n2'), node('n3')], '+n2'],
  [
    'not those that are not ready, leave, or may not',
    [node('n1', { ready: 'False' }), node('n2', { unschedulable: true }), node('n3', { storage: true })],
    '',
  ],
  [
    'ready as far as is known',
    [node('n1', { ready: 'True' }), node('n2', { ready: 'Unknown' }), node('n3')],
    '+n1 +n3',
  ],
  [
    'a new one first, when one is not ready',
    [node('n1', { chosen: 900, ready: 'False' }), node('n2', { chosen: 900 }), node('n3')],
    '+n3',
  ],
  [
    'the bad one stays while the new one settles',
    [node('n1', { chosen: 900, ready: 'False' }), node('n2', { chosen: 900 }), node('n3', { chosen: 59 })],
    '',
  ],
  [
    'and goes then',
    [node('n1', { chosen: 900, ready: 'False' }), node('n2', { chosen: 900 }), node('n3', { chosen: 60 })],
    '-n1',
  ],
  ['the last one of a zone stays', [node('n1', { chosen: 900, ready: 'False' })], ''],
  [
    'of too many the youngest goes',
    [node('n1', { chosen: 100 }), node('n2', { chosen: 300 }), node('n3', { chosen: 200 })],
    '-n1',
  ],
  [
    'a time that cannot be read is long ago',
    [{ ...node('n1', { chosen: 0 }), metadata: { name: 'n1', annotations: { [CLUSTER_ID]: 'x', [SINCE]: 'then' } } }],
    '',
  ],
];

for (const [name, given, expected] of ROWS) {
  test(`chooseReflectors(): ${name}`, () => {
    assert.equal(print(given), expected);
    assert.equal(print(given.toReversed()), expected);
  });
}

test('chooseReflectors() takes all back when none are asked for, and those of users never', () => {
  assert.equal(print([node('n1', { chosen: 1 }), node('n2', { user: true }), node('n3')], 0), '-n1');
});

test('chooseReflectors() gives a zone one cluster id, in a range that no host has', () => {
  const ids = choose([node('n1'), node('n2'), node('n3', { zone: 'b' })]).add.map(({ clusterId }) => clusterId);
  assert.match(ids[0] ?? '', /^244\./);
  assert.deepEqual([ids[0] === ids[1], ids[0] === ids[2]], [true, false]);
});

test('chooseReflectors() comes to rest, and never leaves a zone without a reflector that it had', () => {
  const nodes = fc.array(
    fc.record({
      zone: fc.constantFrom('a', 'b'),
      chosen: fc.option(fc.nat(120), { nil: undefined }),
      ready: fc.constantFrom('True' as const, 'False' as const),
    }),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(nodes, fc.integer({ min: 1, max: 3 }), (given, perZone) => {
      let now = given.map(({ zone, chosen, ready }, n) =>
        node(`n${n}`, { zone, ready, ...(chosen === undefined ? {} : { chosen }) }),
      );
      for (let round = 0; round < 10; round++) {
        const { add, remove } = choose(now, perZone);
        if (add.length + remove.length === 0) break;
        assert.ok(round < 9);
        const before = now;
        // The next look is long after this one.
        now = now.map((one) => {
          const { name, labels, annotations } = one.metadata;
          const becomes = add.some((each) => each.node === name);
          if (!becomes && !remove.includes(name)) return one;
          const changed = becomes ? { [CLUSTER_ID]: 'x', [SINCE]: new Date(NOW - 2 * SETTLE).toISOString() } : {};
          return {
            ...one,
            metadata: { name, labels: labels ?? {}, annotations: { ...(becomes ? annotations : {}), ...changed } },
          };
        });
        for (const zone of ['a', 'b']) {
          const count = (list: readonly Node[]): number =>
            list.filter(
              ({ metadata }) =>
                metadata.labels?.['topology.kubernetes.io/zone'] === zone &&
                metadata.annotations?.[SINCE] !== undefined,
            ).length;
          assert.ok(count(now) >= Math.min(count(before), 1));
        }
      }
    }),
    { numRuns: 300 },
  );
});
