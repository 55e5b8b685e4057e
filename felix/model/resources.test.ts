import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closedAddressing } from '../../datastore/resources/closed-addressing.ts';
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

test('createResources() has a pool that cannot be read in force as it was, else closed', () => {
  const raw = {
    ...{ apiVersion: 'projectcalico.org/v3', kind: 'IPPool', metadata: { name: 'a' } },
    spec: { cidr: '10.244.0.0/16', natOutgoing: true },
  };
  const value = unwrap(parseResource(raw));
  const key = keyOf(value);
  const unreadable = (resources: ReturnType<typeof createResources>): void => {
    const given = { ...raw, spec: { ...raw.spec, nodeSelector: '((' } };
    resources.accept({ key, value: closedAddressing(key, given) }, 'Cannot accept IPPool "a"');
  };
  const specs = (resources: ReturnType<typeof createResources>) => resources.pools().map(({ spec }) => spec);

  const knew = resourcesOf(value);
  unreadable(knew);
  assert.deepEqual(specs(knew), [{ cidr: '10.244.0.0/16', natOutgoing: true }]);
  assert.deepEqual(knew.problems(), ['Cannot accept IPPool "a"']);

  const fresh = resourcesOf();
  const closed = [{ cidr: '10.244.0.0/16', natOutgoing: true, blockSize: 24, disabled: true }];
  const said = ['Cannot accept IPPool "a"; it gives no new addresses meanwhile'];
  for (const _ of ['at first', 'again']) {
    unreadable(fresh);
    assert.deepEqual(specs(fresh), closed);
    assert.deepEqual(fresh.problems(), said);
  }
  fresh.accept({ key, value }, undefined);
  assert.deepEqual([specs(fresh), fresh.problems()], [[{ cidr: '10.244.0.0/16', natOutgoing: true }], []]);
  unreadable(fresh);
  assert.deepEqual(specs(fresh), [{ cidr: '10.244.0.0/16', natOutgoing: true }]);
});

test('createResources() lets addresses rest for long while it never knew for how long', () => {
  const resources = resourcesOf();
  const key = 'IPAMConfiguration/default';
  resources.accept({ key, value: closedAddressing(key, undefined) }, 'no');
  assert.equal(resources.ipamConfiguration()?.spec.ipCooldownSeconds, 1200);
  assert.equal(resources.leakGraceMs(), undefined);
  assert.match(resources.problems().join(), /^no; meanwhile nothing .* where the cool-down cannot be read, .* longest/);
});
