import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyOf, type Resource } from '../../datastore/resources/index.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { nftKey } from '../../lib/nftables/ast.ts';
import { unwrap } from '../../lib/result.ts';
import { generationChains } from '../render/policy/base-chains.ts';
import { FIRST_GENERATION, nextGeneration } from '../render/policy/generation.ts';
import { CLOSED_PORTS, NODES } from '../render/policy/names.ts';
import { createModel } from './model.ts';

const node = (name: string, annotations: Record<string, string>, ...addresses: readonly string[]): Resource => {
  const status = { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) };
  return unwrap(parseResource({ apiVersion: 'v1', kind: 'Node', metadata: { name, annotations }, status }));
};
const configuration = (name: string, listenPort: number): Resource => {
  const spec = { listenPort };
  return unwrap(
    parseResource({ apiVersion: 'projectcalico.org/v3', kind: 'BGPConfiguration', metadata: { name }, spec }),
  );
};

test('what is closed to pods follows Nodes and BGPConfigurations, one element for what changed, and flows with it', () => {
  const model = createModel({ node: 'node1', generation: FIRST_GENERATION });
  const annotation = { 'projectcalico.org/IPv4Address': '203.0.113.12/24' };
  const keyed = (set: string, key: string) => `element/${set}/${key}`;
  const gone = node('node2', {}, '198.51.100.12');
  for (const [value, there, expected] of [
    [
      node('node2', {}, '198.51.100.12', 'fd00:198:51::12'),
      true,
      [keyed(NODES[4], '198.51.100.12'), keyed(NODES[6], 'fd00:198:51::12')],
    ],
    [node('node2', annotation, '198.51.100.12', 'fd00:198:51::12'), true, [keyed(NODES[4], '203.0.113.12')]],
    [
      node('node2', { 'projectcalico.org/IPv4Address': 'junk' }, '198.51.100.12'),
      true,
      [keyed(NODES[4], '203.0.113.12'), keyed(NODES[6], 'fd00:198:51::12')],
    ],
    [configuration('default', 1179), true, [keyed(CLOSED_PORTS, 'tcp . 1179')]],
    [configuration('node.node2', 2179), true, [keyed(CLOSED_PORTS, 'tcp . 2179')]],
    [configuration('node.node1', 1179), true, []],
    [configuration('default', 179), true, []],
    [configuration('node.node1', 1179), false, [keyed(CLOSED_PORTS, 'tcp . 1179')]],
    [gone, false, [keyed(NODES[4], '198.51.100.12')]],
    [gone, false, []],
  ] as const) {
    const change = { key: keyOf(value), value: there ? value : undefined };
    model.accept({ kind: 'resource', change, version: '1' });
    const before = model.generation();
    const changes = model.drainNft('bump-if-needed');
    const closes = changes.some(({ after }) => after?.kind === 'element');
    assert.equal(model.generation(), closes ? nextGeneration(before) : before);
    const chains = closes ? generationChains(before).map((chain) => nftKey(chain)) : [];
    const keys = changes.map(({ key }) => key);
    assert.deepEqual(keys.toSorted(), [...expected, ...chains].toSorted());
  }
});

test('what the first snapshot closes is no news to the flows of an earlier life', () => {
  const model = createModel({ node: 'node1', generation: FIRST_GENERATION });
  for (const value of [node('node2', {}, '198.51.100.12'), configuration('default', 1179)]) {
    model.accept({ kind: 'resource', change: { key: keyOf(value), value }, version: '1' });
  }
  model.drainNft('keep');
  assert.deepEqual(model.drainNft('bump-if-needed'), []);
  assert.equal(model.generation(), FIRST_GENERATION);
});

test('ranges of services that nobody serves any more have flows judged again', () => {
  const model = createModel({ node: 'node1', generation: FIRST_GENERATION });
  const ranges = (...cidrs: readonly string[]): Resource => {
    const spec = { serviceClusterIPs: cidrs.map((cidr) => ({ cidr })) };
    const metadata = { name: 'default' };
    return unwrap(parseResource({ apiVersion: 'projectcalico.org/v3', kind: 'BGPConfiguration', metadata, spec }));
  };
  for (const [value, bumps] of [
    [ranges('10.96.0.0/16'), true],
    [ranges('10.96.0.0/16'), false],
    [ranges(), false],
  ] as const) {
    const before = model.generation();
    model.accept({ kind: 'resource', change: { key: keyOf(value), value }, version: '1' });
    model.drainNft('bump-if-needed');
    assert.equal(model.generation() !== before, bumps);
  }
});
