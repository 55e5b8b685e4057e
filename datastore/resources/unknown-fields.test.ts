import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kind } from './index.ts';
import { unknownFields } from './unknown-fields.ts';

const metadata = { name: 'a', labels: { any: 'a' }, annotations: { any: 'a' }, finalizers: [] };

const rows: readonly { readonly name: string; readonly given: object; readonly expected: readonly string[] }[] = [
  { name: 'none of labels', given: { kind: 'Namespace', apiVersion: 'v1', metadata }, expected: [] },
  {
    name: 'some at the top and in the metadata',
    given: { kind: 'Namespace', metadata: { ...metadata, label: {} }, specs: {} },
    expected: ['metadata.label', 'specs'],
  },
  {
    name: 'some in selectors, but not in what they match',
    given: {
      kind: 'NetworkPolicy',
      spec: {
        podSelector: { matchLabels: { free: 'a' }, matchLabel: {} },
        ingress: [{ from: [{ podSelector: { matchExpressions: [{ key: 'a', op: 'In' }] } }], port: [] }],
        egress: [{ to: [{ ipBlock: { cidr: '::/0', cidrs: [] } }], ports: [{ port: 1, endport: 2 }] }],
      },
    },
    expected: [
      'spec.podSelector.matchLabel',
      'spec.ingress[0].from[0].podSelector.matchExpressions[0].op',
      'spec.ingress[0].port',
      'spec.egress[0].to[0].ipBlock.cidrs',
      'spec.egress[0].ports[0].endport',
    ],
  },
  {
    name: 'some in rules of a ClusterNetworkPolicy',
    given: {
      kind: 'ClusterNetworkPolicy',
      spec: {
        subject: { pods: { podSelector: {}, selector: {} } },
        ingress: [{ action: 'Deny', from: [{ networks: [] }], protocols: [{ tcp: { port: 1 } }] }],
        egress: [{ action: 'Deny', to: [{ networks: ['::/0'] }], protocols: [{ quic: {} }] }],
      },
    },
    expected: [
      'spec.subject.pods.selector',
      'spec.ingress[0].from[0].networks',
      'spec.ingress[0].protocols[0].tcp.port',
      'spec.egress[0].protocols[0].quic',
    ],
  },
  {
    name: 'none that only others read',
    given: {
      kind: 'Pod',
      metadata,
      spec: {
        restartPolicy: 'Never',
        tolerations: [{ whatever: 1 }],
        containers: [{ name: 'c', image: 'x', env: [{ a: 1 }], ports: [{ containerPort: 1, hostPort: 1, prot: 1 }] }],
      },
      status: { phase: 'Running', whatever: 1 },
    },
    expected: ['spec.containers[0].ports[0].prot'],
  },
  {
    name: 'those of inherited names too',
    given: { kind: 'IPPool', spec: { cidr: '10.0.0.0/8', vxlanMode: 'Never', constructor: 1 } },
    expected: ['spec.constructor'],
  },
  {
    name: 'none in the data of a Secret',
    given: { kind: 'Secret', type: 'Opaque', immutable: true, data: { a: 'YQ==' }, stringdata: { b: 'c' } },
    expected: ['stringdata'],
  },
  {
    name: 'some in an EndpointSlice',
    given: { kind: 'EndpointSlice', addressType: 'IPv4', ports: [{ port: 1 }], endpoints: [{ zone: 'a', zones: [] }] },
    expected: ['endpoints[0].zones'],
  },
  { name: 'none where there are no objects', given: { kind: 'IPPool', spec: 7, metadata: [] }, expected: [] },
];

for (const { name, given, expected } of rows) {
  test(`unknownFields() finds ${name}`, () => {
    assert.deepEqual(unknownFields((given as { kind: Kind }).kind, given), expected);
  });
}
