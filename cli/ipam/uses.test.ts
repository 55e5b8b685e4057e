import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipPool } from '../../test/support/ipam-world.ts';
import { poolUses } from './uses.ts';

test('poolUses() says of a pool whether it serves pods, and why not', () => {
  const pools = [
    ipPool('plain', '10.244.0.0/16'),
    ipPool('by-name', '10.245.0.0/16', { assignmentMode: 'Manual' }),
    ipPool('off', '10.246.0.0/16', { disabled: true, allowedUses: ['Tunnel'] }),
    ipPool('services', '10.247.0.0/16', { allowedUses: ['LoadBalancer'] }),
    ipPool('plain-2', '10.244.128.0/17'),
  ];
  const nothing = { blocks: [], reservations: [], pods: [], nodes: [], views: [], silent: [] };
  const uses = poolUses({ ...nothing, pools, unreadable: new Set(), runtimes: new Map() });
  assert.deepEqual(
    uses.map(({ name, state, why }) => [name, state, why]),
    [
      ['plain', 'in service', undefined],
      ['by-name', 'manual', undefined],
      ['off', 'disabled', undefined],
      ['services', 'out of service', 'spec.allowedUses does not include Workload'],
      ['plain-2', 'out of service', 'spec.cidr 10.244.128.0/17 overlaps 10.244.0.0/16 of the older IPPool "plain"'],
    ],
  );
});
