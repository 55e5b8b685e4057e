import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closedAddressing } from './closed-addressing.ts';
import type { ResourceKey } from './index.ts';

const rows = [
  {
    name: 'a pool with a use of a newer API: it stays a range with its translation, and gives nothing',
    key: 'IPPool/a',
    given: {
      spec: { cidr: '10.244.0.0/16', natOutgoing: true, disableBGPExport: true, allowedUses: ['Workload', 'Moon'] },
    },
    expected: {
      ...{ cidr: '10.244.0.0/16', blockSize: 24, natOutgoing: true, disableBGPExport: true, disabled: true },
    },
  },
  {
    name: 'a pool whose blocks would be larger than itself, and whose selector nobody reads',
    key: 'IPPool/a',
    given: { spec: { cidr: 'fd00:10:244::/124', blockSize: 100, nodeSelector: '((', natOutgoing: null } },
    expected: { cidr: 'fd00:10:244::/124', blockSize: 124, disabled: true },
  },
  { name: 'a pool without a range', key: 'IPPool/a', given: { spec: { cidr: '10.244/16' } }, expected: undefined },
  { name: 'what is no JSON', key: 'IPPool/a', given: undefined, expected: undefined },
  {
    name: 'a reservation: the ranges that can be read',
    key: 'IPReservation/r',
    given: { spec: { reservedCIDRs: ['10.244.0.1/32', 7, 'router', '10.244.0.9', 'fd00::/120'] } },
    expected: { reservedCIDRs: ['10.244.0.1/32', '10.244.0.9/32', 'fd00::/120'] },
  },
  {
    name: 'a reservation that has no list',
    key: 'IPReservation/r',
    given: { spec: { reservedCIDRs: '10.244.0.1/32' } },
    expected: { reservedCIDRs: [] },
  },
  {
    name: 'settings with a cool-down that is too long: the longest there is, and the rest',
    key: 'IPAMConfiguration/default',
    given: { spec: { ipCooldownSeconds: 1201, maxBlocksPerHost: 3, leakGraceSeconds: 60 } },
    expected: { ipCooldownSeconds: 1200, maxBlocksPerHost: 3, leakGraceSeconds: 0 },
  },
  {
    name: 'settings of which another field cannot be read',
    key: 'IPAMConfiguration/default',
    given: { spec: { ipCooldownSeconds: 30, maxBlocksPerHost: 'many', autoAllocateBlocks: false } },
    expected: { ipCooldownSeconds: 30, autoAllocateBlocks: false, leakGraceSeconds: 0 },
  },
  {
    name: 'settings that are no object',
    key: 'IPAMConfiguration/default',
    given: 'none',
    expected: { ipCooldownSeconds: 1200, leakGraceSeconds: 0 },
  },
  { name: 'settings that do not count', key: 'IPAMConfiguration/other', given: {}, expected: undefined },
  { name: 'another kind', key: 'BGPPeer/tor', given: {}, expected: undefined },
] as const;

for (const { name, key, given, expected } of rows) {
  test(`closedAddressing() of ${name}`, () => {
    const closed = closedAddressing(key satisfies ResourceKey, given);
    assert.deepEqual(closed && 'spec' in closed ? closed.spec : undefined, expected);
    if (closed !== undefined) assert.equal(`${closed.kind}/${closed.metadata.name}`, key);
  });
}
