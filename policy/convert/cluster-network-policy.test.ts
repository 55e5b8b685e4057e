import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { clusterPolicy } from '../../test/policy/world-builder.ts';
import { policyProblems } from '../ir.ts';
import { convertClusterNetworkPolicy } from './cluster-network-policy.ts';

describe('convertClusterNetworkPolicy()', () => {
  const anyone = [{ namespaces: {} }];

  test('has only the directions with rules', () => {
    const { ingress, egress, order, tier } = convertClusterNetworkPolicy(
      clusterPolicy('p', { priority: 7, ingress: [], egress: [{ action: 'Pass', to: anyone }] }),
    );
    assert.deepEqual([ingress, egress?.length, order, tier.name], [undefined, 1, 7, 'kube-admin']);
  });

  const rows: readonly { readonly name: string; readonly given: object; readonly expected: string }[] = [
    {
      name: 'domain names',
      given: { to: [{ domainNames: ['a.org'] }] },
      expected: 'domainNames are not supported, expected networks',
    },
    {
      name: 'a peer of a newer API',
      given: { to: [...anyone, { galaxies: {} }] },
      expected: 'the peer is none that egress rules can have',
    },
    {
      name: 'a protocol of a newer API',
      given: { to: anyone, protocols: [{ quic: {} }] },
      expected: 'a protocol is none of tcp, udp, sctp and destinationNamedPort',
    },
    {
      name: 'a port of a newer API',
      given: { to: anyone, protocols: [{ tcp: { sourcePort: { number: 1 } } }] },
      expected: 'a protocol is none of tcp, udp, sctp and destinationNamedPort',
    },
  ];
  for (const { name, given, expected } of rows) {
    for (const action of ['Accept', 'Deny', 'Pass'] as const) {
      test(`reports ${name} in a rule to ${action}, of which nothing else is left`, () => {
        const policy = convertClusterNetworkPolicy(clusterPolicy('p', { egress: [{ action, to: anyone, ...given }] }));
        assert.deepEqual(policyProblems(policy), [`Cannot use egress rule 0 of "ClusterNetworkPolicy/p": ${expected}`]);
        assert.deepEqual(
          policy.egress?.map(({ peers, ports }) => [peers.length, ports]),
          [[1, 'any']],
        );
      });
    }
  }

  test('reports nothing of a policy that is understood', () => {
    const policy = convertClusterNetworkPolicy(clusterPolicy('p', { ingress: [{ action: 'Deny', from: anyone }] }));
    assert.deepEqual(policyProblems(policy), []);
  });
});
