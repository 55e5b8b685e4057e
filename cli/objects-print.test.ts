import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kind, Resource } from '../datastore/resources/index.ts';
import { KINDS } from '../datastore/resources/index.ts';
import { parseResource } from '../datastore/resources/parse.ts';
import { unwrap } from '../lib/result.ts';
import { printAge } from './objects-age.ts';
import { type Output, printNames, printObjects, printTable } from './objects-print.ts';

const NOW = Date.parse('2030-01-01T01:00:00Z');
const object = (kind: Kind, metadata: object, rest: object = {}): Resource => {
  const times = { creationTimestamp: '2030-01-01T00:59:30Z' };
  return unwrap(
    parseResource({ apiVersion: KINDS[kind].apiVersion, kind, metadata: { ...times, ...metadata }, ...rest }),
  );
};

const pods = [
  object(
    'Pod',
    { name: 'web', namespace: 'shop', labels: { b: '2', a: '1' } },
    {
      spec: { nodeName: 'node1', containers: [{ name: 'c' }] },
      status: { phase: 'Running', podIP: '10.244.0.1', containerStatuses: [{ ready: true, restartCount: 2 }] },
    },
  ),
  object(
    'Pod',
    { name: 'a-long-name', namespace: 'x' },
    {
      spec: { containers: [{ name: 'c' }, { name: 'd' }] },
      status: { phase: 'Pending', reason: 'NetworkNotReady' },
    },
  ),
];

const tables: readonly { kind: Kind; items: readonly Resource[]; options?: object; expected: readonly string[] }[] = [
  {
    kind: 'Pod',
    items: pods,
    expected: [
      'NAME          READY   STATUS            RESTARTS   AGE',
      'web           1/1     Running           2          30s',
      'a-long-name   0/2     NetworkNotReady   0          30s',
    ],
  },
  {
    kind: 'Pod',
    items: pods.slice(0, 1),
    options: { output: 'wide', allNamespaces: true, showLabels: true, withKind: true },
    expected: [
      'NAMESPACE   NAME      READY   STATUS    RESTARTS   AGE   IP           NODE    NOMINATED NODE   READINESS GATES   LABELS',
      'shop        pod/web   1/1     Running   2          30s   10.244.0.1   node1   <none>           <none>            a=1,b=2',
    ],
  },
  {
    kind: 'IPAMConfiguration',
    items: [
      object('IPAMConfiguration', { name: 'default' }, { spec: { autoAllocateBlocks: false, leakGraceSeconds: 0 } }),
    ],
    expected: [
      'NAME      COOLDOWN   MAXBLOCKS   AUTOALLOCATE   LEAKGRACE   AGE',
      'default   0s         0           false          never       30s',
    ],
  },
  {
    kind: 'Node',
    items: [
      object(
        'Node',
        { name: 'node1', labels: { 'node-role.kubernetes.io/edge': '' } },
        {
          status: {
            addresses: [{ type: 'InternalIP', address: '198.51.100.11' }],
            conditions: [{ type: 'Ready', status: 'True' }],
          },
        },
      ),
    ],
    options: { output: 'wide' },
    expected: [
      'NAME    STATUS   ROLES   AGE   VERSION   INTERNAL-IP     EXTERNAL-IP',
      'node1   Ready    edge    30s   <none>    198.51.100.11   <none>',
    ],
  },
  {
    kind: 'NetworkPolicy',
    items: [
      object('NetworkPolicy', { name: 'a' }, { spec: {} }),
      object(
        'NetworkPolicy',
        { name: 'b' },
        {
          spec: {
            podSelector: {
              matchLabels: { app: 'web' },
              matchExpressions: [
                { key: 'x', operator: 'In', values: ['1', '2'] },
                { key: 'y', operator: 'DoesNotExist' },
              ],
            },
          },
        },
      ),
    ],
    options: { headers: false },
    expected: ['a   <none>                  30s', 'b   app=web,x in (1,2),!y   30s'],
  },
  {
    kind: 'IPPool',
    items: [object('IPPool', { name: 'p' }, { spec: { cidr: '10.244.0.0/16', natOutgoing: true } })],
    expected: [
      'NAME   CIDR            BLOCKSIZE   NAT    DISABLED   AGE',
      'p      10.244.0.0/16   24          true   false      30s',
    ],
  },
];

for (const { kind, items, options = {}, expected } of tables) {
  test(`printTable() prints ${kind} ${JSON.stringify(options)}`, () => {
    const table = printTable(kind, items, { nowMs: NOW, output: 'table' satisfies Output, ...options });
    assert.deepEqual(table.split('\n'), expected);
  });
}

test('printNames() prints types in singular, with their group', () => {
  const policy = object('NetworkPolicy', { name: 'b' }, { spec: {} });
  assert.equal(printNames([...pods.slice(0, 1), policy]), 'pod/web\nnetworkpolicy.networking.k8s.io/b');
});

test('printObjects() prints sorted YAML, quoting what YAML 1.1 would misread', () => {
  const namespace = object(
    'Namespace',
    { name: 'shop', labels: { on: 'yes' } },
    { spec: { finalizers: ['kubernetes'] } },
  );
  assert.deepEqual(printObjects([namespace], 'yaml', true).split('\n'), [
    'apiVersion: v1',
    'kind: Namespace',
    'metadata:',
    '  creationTimestamp: "2030-01-01T00:59:30Z"',
    '  labels:',
    '    "on": "yes"',
    '  name: shop',
    'spec:',
    '  finalizers:',
    '  - kubernetes',
  ]);
});

test('printObjects() puts several objects into a List', () => {
  const list: unknown = JSON.parse(printObjects(pods, 'json', false));
  assert.deepEqual(list, { apiVersion: 'v1', kind: 'List', items: pods, metadata: { resourceVersion: '' } });
});

const ages: readonly { given: number; expected: string }[] = [
  { given: 0, expected: '0s' },
  { given: 119, expected: '119s' },
  { given: 125, expected: '2m5s' },
  { given: 180, expected: '3m' },
  { given: 7199, expected: '119m' },
  { given: 3 * 3600 + 60, expected: '3h1m' },
  { given: 47 * 3600, expected: '47h' },
  { given: 51 * 3600, expected: '2d3h' },
  { given: 100 * 86400, expected: '100d' },
  { given: 800 * 86400, expected: '2y70d' },
  { given: 3000 * 86400, expected: '8y' },
  { given: -5, expected: '0s' },
];

for (const { given, expected } of ages) {
  test(`printAge() prints ${given} s`, () => {
    assert.equal(printAge(new Date(NOW - given * 1000).toISOString(), NOW), expected);
  });
}

test('printAge() knows when it does not know', () => assert.equal(printAge(undefined, NOW), '<unknown>'));
