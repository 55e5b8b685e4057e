import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type IpPool, ipPoolSchema } from '../../datastore/resources/ip-pool.ts';
import { choosePools, type PoolQuery } from './choose-pools.ts';

const pool = (name: string, cidr: string, spec: object = {}, metadata: object = {}): IpPool =>
  ipPoolSchema.parse({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name, ...metadata },
    spec: { cidr, ...spec },
  });
const automatic: PoolQuery = { family: 4, nodeLabels: { zone: 'a' }, want: { kind: 'automatic' } };

const rows: { name: string; given: readonly IpPool[]; query?: Partial<PoolQuery>; usable: string[]; why?: RegExp }[] = [
  {
    name: 'pools of the family by name',
    given: [pool('b', '10.245.0.0/16'), pool('six', 'fd00:10:244::/48'), pool('a', '10.244.0.0/16')],
    usable: ['a', 'b'],
  },
  { name: 'no disabled pool', given: [pool('a', '10.244.0.0/16', { disabled: true })], usable: [], why: /disabled/ },
  {
    name: 'no pool that is being deleted',
    given: [pool('a', '10.244.0.0/16', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
    usable: [],
    why: /being deleted/,
  },
  {
    name: 'a pool for workloads among other uses',
    given: [pool('a', '10.244.0.0/16', { allowedUses: ['Tunnel', 'Workload'] })],
    usable: ['a'],
  },
  {
    name: 'a pool with an empty list of uses, which is the default',
    given: [pool('a', '10.244.0.0/16', { allowedUses: [] })],
    usable: ['a'],
  },
  {
    name: 'no pool for tunnels only',
    given: [pool('a', '10.244.0.0/16', { allowedUses: ['Tunnel'] })],
    usable: [],
    why: /allowedUses/,
  },
  {
    name: 'no pool for some namespaces, when the labels of the namespace are not known',
    given: [pool('a', '10.244.0.0/16', { namespaceSelector: "team == 'x'" })],
    usable: [],
    why: /namespaceSelector/,
  },
  {
    name: 'no manual pool for an automatic pick',
    given: [pool('a', '10.244.0.0/16', { assignmentMode: 'Manual' })],
    usable: [],
    why: /assignmentMode/,
  },
  {
    name: 'no pool of addresses that pods cannot have',
    given: [pool('a', '169.254.0.0/17')],
    usable: [],
    why: /^spec\.cidr "169\.254\.0\.0\/17" overlaps "169\.254\.0\.0\/16", which is link-local$/,
  },
  {
    name: 'a manual pool for a requested address',
    given: [pool('a', '10.244.0.0/16', { assignmentMode: 'Manual', nodeSelector: "zone == 'b'" })],
    query: { want: { kind: 'address' } },
    usable: ['a'],
  },
  {
    name: 'a pool for all() nodes',
    given: [pool('a', '10.244.0.0/16', { nodeSelector: ' all( ) ' }), pool('b', '10.245.0.0/16', { nodeSelector: '' })],
    usable: ['a', 'b'],
  },
  {
    name: 'pools by the labels of the namespace',
    given: [
      pool('a', '10.244.0.0/16', { namespaceSelector: "team in {'x', 'y'}" }),
      pool('b', '10.245.0.0/16', { namespaceSelector: '!has(team)' }),
    ],
    query: { namespaceLabels: { team: 'y' } },
    usable: ['a'],
    why: /namespaceSelector "!has\(team\)" does not select the pod's namespace/,
  },
  {
    name: 'named pools in their order, whatever their selectors and mode',
    given: [
      pool('a', '10.244.0.0/16', { nodeSelector: "zone == 'b'" }),
      pool('b', '10.245.0.0/16', { assignmentMode: 'Manual' }),
      pool('c', '10.246.0.0/16'),
    ],
    query: { want: { kind: 'named', pools: ['10.245.0.0/16', 'a'] } },
    usable: ['b', 'a'],
  },
  {
    name: 'no named pool when one of them is disabled',
    given: [pool('a', '10.244.0.0/16'), pool('b', '10.245.0.0/16', { disabled: true })],
    query: { want: { kind: 'named', pools: ['a', 'b'] } },
    usable: [],
    why: /disabled/,
  },
  {
    name: 'no named pool when one of them is not there',
    given: [pool('a', '10.244.0.0/16')],
    query: { want: { kind: 'named', pools: ['x', 'a'] } },
    usable: [],
    why: /there is none of this name or CIDR/,
  },
  {
    name: 'no named pool of the other family',
    given: [pool('six', 'fd00:10:244::/48')],
    query: { want: { kind: 'named', pools: ['six'] } },
    usable: [],
    why: /not of IPv4/,
  },
  {
    name: 'pools by the labels of the node',
    given: [
      pool('a', '10.244.0.0/16', { nodeSelector: "zone == 'a'" }),
      pool('b', '10.245.0.0/16', { nodeSelector: "zone == 'b'" }),
    ],
    usable: ['a'],
    why: /zone == 'b'/,
  },
  {
    name: 'the older one of two that overlap',
    given: [
      pool('a', '10.244.0.0/17', {}, { creationTimestamp: '2026-02-01T00:00:00Z' }),
      pool('b', '10.244.0.0/16', {}, { creationTimestamp: '2026-01-01T00:00:00Z' }),
    ],
    usable: ['b'],
    why: /overlaps 10\.244\.0\.0\/16 of the older IPPool "b"/,
  },
  {
    name: 'a pool that replaces a disabled one',
    given: [
      pool('a', '10.244.0.0/16', { disabled: true }, { creationTimestamp: '2026-01-01T00:00:00Z' }),
      pool('b', '10.244.0.0/16', {}, { creationTimestamp: '2026-02-01T00:00:00Z' }),
    ],
    usable: ['b'],
  },
];

for (const { name, given, query, usable, why } of rows) {
  test(`choosePools() finds ${name}`, () => {
    const choice = choosePools(given, { ...automatic, ...query });
    assert.deepEqual(
      choice.usable.map(({ metadata }) => metadata.name),
      usable,
    );
    if (why !== undefined) assert.match(choice.refused[0]?.why ?? '', why);
  });
}
