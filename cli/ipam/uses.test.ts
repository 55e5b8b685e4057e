import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipBlockSchema } from '../../datastore/resources/ip-block.ts';
import { ipPool } from '../../test/support/ipam-world.ts';
import { blockUses, poolUses } from './uses.ts';

const NOTHING = {
  ...{ pools: [], blocks: [], reservations: [], pods: [], nodes: [], views: [], silent: [] },
  ...{ unreadable: new Set<never>(), runtimes: new Map() },
};

test('blockUses() lists blocks by address', () => {
  const blocks = ['10.244.149.0/24', '10.244.41.0/24', 'fd00:10:244::/120', '10.244.5.0/24'].map((cidr) =>
    ipBlockSchema.parse({
      ...{ apiVersion: 'margay.dev/v1alpha1', kind: 'IPBlock', metadata: { name: cidr.replaceAll(/[.:/]/g, '-') } },
      spec: { cidr, pool: 'pods', node: 'n1' },
    }),
  );
  const listed = blockUses({ ...NOTHING, blocks }).map(({ cidr }) => cidr);
  assert.deepEqual(listed, ['10.244.5.0/24', '10.244.41.0/24', '10.244.149.0/24', 'fd00:10:244::/120']);
});

test('poolUses() says of a pool whether it serves pods, and why not', () => {
  const pools = [
    ipPool('plain', '10.244.0.0/16'),
    ipPool('by-name', '10.245.0.0/16', { assignmentMode: 'Manual' }),
    ipPool('off', '10.246.0.0/16', { disabled: true, allowedUses: ['Tunnel'] }),
    ipPool('services', '10.247.0.0/16', { allowedUses: ['LoadBalancer'] }),
    ipPool('plain-2', '10.244.128.0/17'),
  ];
  const uses = poolUses({ ...NOTHING, pools });
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
