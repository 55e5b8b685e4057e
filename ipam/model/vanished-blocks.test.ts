import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type IpBlock, ipBlockName, ipBlockSchema } from '../../datastore/resources/ip-block.ts';
import { podSchema } from '../../datastore/resources/pod.ts';
import { cidrContains, parseCidr } from '../../lib/cidr.ts';
import { unwrap } from '../../lib/result.ts';
import { type ClusterLook, createVanishedBlocks, type PodUse, podUse } from './vanished-blocks.ts';

const block = (cidr: string, node: string, resourceVersion = '5'): IpBlock =>
  ipBlockSchema.parse({
    apiVersion: 'margay.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name: ipBlockName(unwrap(parseCidr(cidr))), resourceVersion },
    spec: { cidr, pool: 'p', node },
  });
const pod = (spec: object, ...ips: string[]): PodUse => podWith('Running', spec, ...ips);
const podWith = (phase: string, spec: object, ...ips: string[]): PodUse =>
  podUse(
    podSchema.parse({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'shop', name: 'web' },
      spec,
      status: { phase, podIPs: ips.map((ip) => ({ ip })) },
    }),
  );
const gone: ClusterLook = {
  blocks: [block('10.244.1.0/24', 'gone'), block('10.244.2.0/24', 'here')],
  nodes: new Set(['here']),
  pods: [pod({ nodeName: 'here' }, '10.244.2.7')],
};

const rows: { name: string; given: Partial<ClusterLook>; due: readonly string[]; doubt?: RegExp }[] = [
  { name: 'a block of a Node that is gone', given: {}, due: ['10-244-1-0-24'] },
  { name: 'no block whose Node is there', given: { nodes: new Set(['here', 'gone']) }, due: [] },
  {
    name: 'no block of which a pod has an address, wherever that is',
    given: { pods: [pod({ nodeName: 'here' }, '10.244.1.255')] },
    due: [],
  },
  {
    name: 'no block of a Node that has a pod without address yet',
    given: { pods: [pod({ nodeName: 'gone' })] },
    due: [],
  },
  {
    name: 'a block that only pods without a claim to it name',
    given: {
      pods: [
        podWith('Succeeded', { nodeName: 'gone' }, '10.244.1.3'),
        podWith('Failed', { nodeName: 'gone' }, '10.244.1.4'),
        pod({ nodeName: 'gone', hostNetwork: true }, '198.51.100.11'),
        pod({}, '10.244.3.1'),
      ],
    },
    due: ['10-244-1-0-24'],
  },
  {
    name: 'blocks of any family and length, but those in use',
    given: {
      blocks: ['10.244.0.0/26', '10.244.0.64/26', 'fd00:10:244::/120', 'fd00:10:244::100/120'].map((cidr) =>
        block(cidr, 'gone'),
      ),
      pods: [pod({}, '10.244.0.65', 'fd00:10:244::1')],
    },
    due: ['10-244-0-0-26', 'fd00-10-244-x-100-120'],
  },
  { name: 'nothing when there is no Node at all', given: { nodes: new Set() }, due: [], doubt: /not a single Node/ },
  {
    name: 'nothing while a Pod cannot be read',
    given: { pods: [{ kind: 'unknown' }] },
    due: [],
    doubt: /a Pod cannot be read/,
  },
];

for (const { name, given, due, doubt } of rows) {
  test(`due() is ${name}`, () => {
    const vanished = createVanishedBlocks();
    const look = { ...gone, ...given };
    assert.deepEqual(vanished.due(look, { nowMs: 0, graceMs: 10 }).blocks, [], 'one look');
    assert.deepEqual(vanished.due(look, { nowMs: 9, graceMs: 10 }).blocks, [], 'too early');
    const found = vanished.due(look, { nowMs: 10, graceMs: 10 });
    assert.deepEqual(
      found.blocks.map(({ metadata }) => metadata.name),
      due,
    );
    assert.match(found.doubt ?? '', doubt ?? /^$/);
  });
}

test('due() is nothing when there is no grace, and begins anew when there is one again', () => {
  const vanished = createVanishedBlocks();
  for (const nowMs of [0, 1000]) assert.deepEqual(vanished.due(gone, { nowMs, graceMs: undefined }).blocks, []);
  assert.deepEqual(vanished.due(gone, { nowMs: 2000, graceMs: 10 }).blocks, []);
  assert.equal(vanished.due(gone, { nowMs: 2010, graceMs: 10 }).blocks.length, 1);
});

// Two blocks of two nodes, what may happen to them, and a look after each step.
const CIDRS = ['10.244.1.0/24', '10.244.2.0/24'] as const;
const step = fc.record({
  after: fc.nat(6),
  nodes: fc.subarray(['a', 'b', 'c']),
  owners: fc.tuple(fc.constantFrom('a', 'b'), fc.constantFrom('a', 'b')),
  versions: fc.tuple(fc.constantFrom('1', '1', '1', '2'), fc.constantFrom('1', '1', '1', '2')),
  pods: fc.array(
    fc.constantFrom(
      ...[pod({ nodeName: 'a' }), pod({}, '10.244.1.9'), pod({}, '10.244.2.9'), podWith('Failed', {}, '10.244.1.9')],
      ...[pod({ nodeName: 'c' }, '10.244.3.1'), { kind: 'unknown' } as const],
    ),
    { maxLength: 1 },
  ),
});

test('due() after any history is what a look back over the grace says', () => {
  const GRACE = 10;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const vanished = createVanishedBlocks();
      const past: { readonly nowMs: number; readonly look: ClusterLook }[] = [];
      let nowMs = 0;
      for (const { after, nodes, owners, versions, pods } of steps) {
        nowMs += after;
        const blocks = CIDRS.map((cidr, n) => block(cidr, owners[n] ?? '', versions[n]));
        const look = { blocks, nodes: new Set(nodes), pods };
        past.push({ nowMs, look });
        const expected = blocks.filter((each) => {
          const missed = past.findLastIndex((then) => !isAbandoned(then.look, each));
          const first = past[missed + 1];
          return first !== undefined && past.length - missed > 2 && nowMs - first.nowMs >= GRACE;
        });
        assert.deepEqual(vanished.due(look, { nowMs, graceMs: GRACE }).blocks, expected);
      }
    }),
    { numRuns: 500 },
  );
});

function isAbandoned({ blocks, nodes, pods }: ClusterLook, block: IpBlock): boolean {
  const then = blocks.find(({ metadata }) => metadata.name === block.metadata.name);
  return (
    then?.metadata.resourceVersion === block.metadata.resourceVersion &&
    nodes.size > 0 &&
    !nodes.has(then?.spec.node ?? '') &&
    pods.every((pod) => {
      if (pod.kind !== 'network') return pod.kind === 'nothing';
      return pod.node !== then?.spec.node && !pod.ips.some((ip) => cidrContains(block.spec.cidr, ip));
    })
  );
}
