import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cniStatus } from './cni-status.ts';

test('cniStatus() tells what concerns every pod', async (t) => {
  const well = {
    ...{ rulesInForce: true, failures: [], journalProblem: undefined, ownedBlocks: 1 },
    ...{ claimsOnDemand: false, ipamProblem: undefined },
  };
  const rows: readonly { name: string; given: Partial<Parameters<typeof cniStatus>[0]>; expected: unknown }[] = [
    { name: 'all is well', given: {}, expected: undefined },
    { name: 'one route is missing', given: { failures: ['no route'] }, expected: undefined },
    { name: 'one family has no block', given: { ipamProblem: 'no pool for IPv6' }, expected: undefined },
    { name: 'no block', given: { ownedBlocks: 0 }, expected: { code: 50, why: 'this node has no address block' } },
    {
      name: 'no block before a pod comes that has a pool',
      given: { ownedBlocks: 0, claimsOnDemand: true },
      expected: undefined,
    },
    {
      name: 'no block, with a reason',
      given: { ownedBlocks: 0, ipamProblem: 'no pool' },
      expected: { code: 50, why: 'no pool' },
    },
    {
      name: 'a journal that cannot be written',
      given: { journalProblem: 'disk is full' },
      expected: { code: 50, why: 'disk is full' },
    },
    {
      name: 'rules not in force',
      given: { rulesInForce: false, failures: ['refused'], ownedBlocks: 0 },
      expected: { code: 51, why: 'refused' },
    },
  ];
  for (const { name, given, expected } of rows) {
    await t.test(name, () => assert.deepEqual(cniStatus({ ...well, ...given }), expected));
  }
});
