import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyOf } from '../../datastore/resources/index.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { unwrap } from '../../lib/result.ts';
import { FIRST_GENERATION } from '../render/policy/generation.ts';
import { createModel } from './model.ts';

const calico = (kind: string, name: string, spec: object) =>
  unwrap(parseResource({ apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec }));

test('the model knows the ports of BGP that objects name, each once, and only while they do', () => {
  const model = createModel({ node: 'node1', generation: FIRST_GENERATION });
  const steps = [
    [calico('BGPConfiguration', 'node.other', { listenPort: 2179 }), [2179]],
    [calico('BGPConfiguration', 'default', { listenPort: 1179 }), [1179, 2179]],
    [calico('BGPPeer', 'six', { peerIP: '[2001:db8::1]:1790', asNumber: 64600 }), [1179, 1790, 2179]],
    [calico('BGPPeer', 'four', { peerIP: '198.51.100.1:1790', asNumber: 64600 }), [1179, 1790, 2179]],
    [calico('BGPPeer', 'six', { peerIP: '2001:db8::1', asNumber: 64600 }), [1179, 1790, 2179]],
    [calico('BGPPeer', 'four', { peerSelector: 'all()' }), [1179, 2179]],
    [calico('BGPConfiguration', 'default', {}), [2179]],
  ] as const;
  for (const [value, expected] of steps) {
    model.accept({ kind: 'resource', change: { key: keyOf(value), value }, version: '1' });
    assert.deepEqual(model.bgpPorts(), expected);
  }
  assert.equal(model.bgpPorts(), model.bgpPorts(), 'asked after each event, so the same array');
});
