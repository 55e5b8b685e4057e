import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyOf, type Resource } from '../../datastore/resources/index.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { unwrap } from '../../lib/result.ts';
import { createResources } from './resources.ts';

const secret = (namespace: string): Resource =>
  unwrap(
    parseResource({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'bgp', namespace }, stringData: { tor: 'x' } }),
  );
const configuration = (name: string): Resource =>
  unwrap(parseResource({ apiVersion: 'projectcalico.org/v3', kind: 'BGPConfiguration', metadata: { name }, spec: {} }));

function resourcesOf(...given: readonly Resource[]) {
  const resources = createResources();
  for (const value of given) resources.accept({ key: keyOf(value), value }, undefined);
  return resources;
}

test('createResources() holds Secrets of the own namespace for passwords, and shows none', () => {
  const given = secret('kube-system');
  const resources = resourcesOf(given, secret('shop'));
  assert.deepEqual(resources.secrets(), [given]);
  assert.deepEqual([...resources.all()], []);
  assert.equal(resources.get(keyOf(given)), undefined);
  resources.accept({ key: keyOf(given), value: undefined }, undefined);
  assert.deepEqual(resources.secrets(), []);
});

test('createResources() tells BGPConfiguration default from those of nodes', () => {
  const resources = resourcesOf(configuration('default'), configuration('node.n1'));
  assert.equal(resources.bgpConfiguration()?.metadata.name, 'default');
  assert.deepEqual(
    resources.nodeConfigurations().map(({ metadata }) => metadata.name),
    ['node.n1'],
  );
});

test('createResources() has nothing set free while the IPAMConfiguration cannot be read', () => {
  const resources = resourcesOf();
  assert.equal(resources.leakGraceMs(), 900_000, 'none is there');
  const value = unwrap(
    parseResource({
      ...{ apiVersion: 'projectcalico.org/v3', kind: 'IPAMConfiguration', metadata: { name: 'default' } },
      spec: { leakGraceSeconds: 60 },
    }),
  );
  const key = keyOf(value);
  const steps = [
    { name: 'unreadable from the start', given: undefined, error: 'no', expected: undefined },
    { name: 'read', given: value, error: undefined, expected: 60_000 },
    { name: 'unreadable later', given: undefined, error: 'no', expected: undefined },
    { name: 'gone', given: undefined, error: undefined, expected: 900_000 },
  ] as const;
  for (const { name, given, error, expected } of steps) {
    resources.accept({ key, value: given }, error);
    assert.equal(resources.leakGraceMs(), expected, name);
  }
});
