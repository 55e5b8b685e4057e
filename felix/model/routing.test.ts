import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerState, RibPath } from '../../bgp/model/types.ts';
import { keyOf } from '../../datastore/resources/index.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { type Cidr, parseCidr } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import { createResources } from './resources.ts';
import { createRouting } from './routing.ts';

const cidr = (text: string): Cidr => unwrap(parseCidr(text));
const ip = (text: string) => unwrap(parseIp(text));

const NODE = (name: string, address: string) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: { addresses: [{ type: 'InternalIP', address }] },
});
const POOL = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'IPPool',
  metadata: { name: 'pods' },
  spec: { cidr: '10.244.0.0/16' },
};

const path = (prefix: string, from: string): RibPath => ({
  prefix: cidr(prefix),
  nextHop: ip(from),
  from: ip(from),
  local: false,
  stale: false,
  asPath: [],
  asPathLength: 0,
  localPref: 100,
  med: 0,
  origin: 0,
  communities: [],
  ebgp: false,
});

const peer = (address: string, state: PeerState['state'], endOfRib: boolean): PeerState => ({
  address: ip(address),
  asn: 64512,
  state,
  flaps: 0,
  received: 0,
  accepted: 0,
  advertised: 0,
  endOfRib,
  description: '',
});

const routingOfTwoNodes = () => routingAndResources().routing;

function routingAndResources() {
  const resources = createResources();
  const routing = createRouting('node1', resources, () => new Map());
  for (const raw of [NODE('node1', '198.51.100.11'), NODE('node2', '198.51.100.12'), POOL]) {
    const value = unwrap(parseResource(raw));
    resources.accept({ key: keyOf(value), value }, undefined);
  }
  routing.resourcesChanged();
  routing.accept({ kind: 'blocks', blocks: [cidr('10.244.1.0/24')] });
  return { routing, resources };
}

const kinds = (routing: ReturnType<typeof routingOfTwoNodes>) =>
  [...routing.routes.entries()].map(([dst, route]) => `${dst} ${route.kind}`).sort();

test('own blocks are blackholes, and what peers tell inside the pools is a route', () => {
  const routing = routingOfTwoNodes();
  routing.accept({ kind: 'bgp-up' });
  routing.accept({ kind: 'rib', paths: [path('10.244.2.0/24', '198.51.100.12'), path('0.0.0.0/0', '198.51.100.12')] });
  assert.deepEqual(kinds(routing), ['10.244.1.0/24 blackhole', '10.244.2.0/24 learned']);
  assert.deepEqual(
    routing.learned().rejected.map(({ prefix }) => prefix),
    ['0.0.0.0/0'],
  );
});

test('blocks of a disabled pool stay announced and learned', () => {
  const { routing, resources } = routingAndResources();
  routing.accept({ kind: 'bgp-up' });
  routing.accept({ kind: 'rib', paths: [path('10.244.2.0/24', '198.51.100.12')] });
  const value = unwrap(parseResource({ ...POOL, spec: { ...POOL.spec, disabled: true } }));
  resources.accept({ key: keyOf(value), value }, undefined);
  routing.resourcesChanged();
  assert.deepEqual(kinds(routing), ['10.244.1.0/24 blackhole', '10.244.2.0/24 learned']);
  assert.deepEqual([...(routing.takeBgp()?.paths.keys() ?? [])], ['10.244.1.0/24']);
});

test('gobgpd is told the desired state once, and again when it comes back', () => {
  const routing = routingOfTwoNodes();
  assert.equal(routing.takeBgp(), undefined, 'not while it is down');
  routing.accept({ kind: 'bgp-up' });
  const desired = routing.takeBgp();
  assert.deepEqual([...(desired?.paths.keys() ?? [])], ['10.244.1.0/24']);
  assert.deepEqual([...(desired?.peers.keys() ?? [])], ['198.51.100.12']);
  assert.equal(routing.takeBgp(), undefined);
  routing.accept({ kind: 'bgp-down', why: 'killed' });
  routing.accept({ kind: 'bgp-up' });
  assert.notEqual(routing.takeBgp(), undefined);
});

test('routes of an earlier life stay until every peer has sent End-of-RIB', () => {
  const routing = routingOfTwoNodes();
  routing.accept({ kind: 'kernel-routes', routes: new Map([[cidr('10.244.7.0/24'), [ip('198.51.100.12')]]]) });
  routing.accept({ kind: 'bgp-up' });
  routing.accept({ kind: 'peers', peers: [peer('198.51.100.12', 'established', false)] });
  assert.ok(kinds(routing).includes('10.244.7.0/24 learned'));
  routing.accept({ kind: 'peers', peers: [peer('198.51.100.12', 'established', true)] });
  assert.deepEqual(kinds(routing), ['10.244.1.0/24 blackhole']);
});

test('gobgpd going away takes no route with it', () => {
  const routing = routingOfTwoNodes();
  routing.accept({ kind: 'bgp-up' });
  routing.accept({ kind: 'peers', peers: [peer('198.51.100.12', 'established', true)] });
  routing.accept({ kind: 'rib', paths: [path('10.244.2.0/24', '198.51.100.12')] });
  routing.accept({ kind: 'bgp-down', why: 'killed' });
  routing.accept({ kind: 'bgp-up' });
  routing.accept({ kind: 'rib', paths: [] });
  assert.ok(kinds(routing).includes('10.244.2.0/24 learned'));
});

test('routing: service addresses are advertised while they can be served here', () => {
  const { routing, resources } = routingAndResources();
  const give = (raw: unknown) => {
    const value = unwrap(parseResource(raw));
    const kept = resources.accept({ key: keyOf(value), value }, undefined);
    if (kept?.kind === 'Service' || kept?.kind === 'EndpointSlice') {
      routing.serviceChanged(kept.kind, `shop/${kept.metadata.name}`, kept);
    } else routing.resourcesChanged();
  };
  const metadata = { name: 'web', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } };
  const slice = (ready: boolean) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata,
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.244.1.7'], nodeName: 'node1', conditions: { ready } }],
  });
  const prefixes = () => [...(routing.takeBgp()?.paths.keys() ?? ['no news'])];
  routing.accept({ kind: 'bgp-up' });
  give({
    apiVersion: 'projectcalico.org/v3',
    kind: 'BGPConfiguration',
    metadata: { name: 'default' },
    spec: { serviceClusterIPs: [{ cidr: '10.96.0.0/16' }], serviceExternalIPs: [{ cidr: '203.0.113.0/26' }] },
  });
  assert.deepEqual(prefixes(), ['10.244.1.0/24', '10.96.0.0/16', '203.0.113.0/26']);
  const spec = { type: 'NodePort', externalTrafficPolicy: 'Local', externalIPs: ['203.0.113.9'] };
  give({ apiVersion: 'v1', kind: 'Service', metadata, spec });
  assert.deepEqual(prefixes(), ['no news'], 'it has no endpoint yet');
  give(slice(true));
  assert.deepEqual(prefixes(), ['10.244.1.0/24', '10.96.0.0/16', '203.0.113.0/26', '203.0.113.9/32']);
  give(slice(false));
  assert.deepEqual(prefixes(), ['10.244.1.0/24', '10.96.0.0/16', '203.0.113.0/26']);
  const node = NODE('node1', '198.51.100.11');
  give({
    ...node,
    metadata: { name: 'node1', labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } },
  });
  assert.deepEqual(prefixes(), ['10.244.1.0/24']);
});
