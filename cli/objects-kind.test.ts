import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAsked } from './objects-kind.ts';

const rows: readonly { given: readonly string[]; expected: readonly [string, string] | string }[] = [
  { given: ['pods'], expected: ['Pod', ''] },
  { given: ['PO', 'a', 'b'], expected: ['Pod', 'a,b'] },
  { given: ['networkpolicy.networking.k8s.io', 'a'], expected: ['NetworkPolicy', 'a'] },
  { given: ['ippools.projectcalico.org'], expected: ['IPPool', ''] },
  { given: ['po,netpol,pods'], expected: ['Pod,NetworkPolicy', ''] },
  { given: ['pod/a', 'po/b'], expected: ['Pod', 'a,b'] },
  { given: ['pod/a', 'ns/b'], expected: 'Cannot read "ns/b": expected one type only' },
  { given: ['pod/a', 'b'], expected: 'Cannot read "b": expected TYPE/NAME like all others' },
  { given: ['pod/'], expected: 'Cannot read "pod/": expected TYPE/NAME like all others' },
  {
    given: ['foo'],
    expected:
      `the server doesn't have a resource type "foo", expected one of namespaces, nodes, pods, services, endpointslices, ` +
      'networkpolicies, clusternetworkpolicies, ippools, ipblocks, nodestatuses, ipreservations, ipamconfigurations, ' +
      'bgpconfigurations, bgppeers, bgpfilters, secrets',
  },
  {
    given: ['po,ns', 'a'],
    expected: 'Cannot combine several types of resources ("po,ns") with names, expected one type',
  },
  { given: [], expected: 'You must specify the type of resource, such as "pods"' },
];

for (const { given, expected } of rows) {
  test(`parseAsked() reads "${given.join(' ')}"`, () => {
    const asked = parseAsked(given);
    assert.deepEqual(asked.ok ? [asked.value.kinds.join(','), asked.value.names.join(',')] : asked.error, expected);
  });
}
