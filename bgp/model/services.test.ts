import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type EndpointSlice, endpointSliceSchema } from '../../datastore/resources/endpoint-slice.ts';
import { type Service, serviceSchema } from '../../datastore/resources/service.ts';
import { type Cidr, parseCidr } from '../../lib/cidr.ts';
import { createServiceAdvertiser, type ServiceAdvertiser, type ServiceRanges } from './services.ts';

const cidr = (text: string): Cidr => {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
};

const RANGES: ServiceRanges = {
  clusterIps: [cidr('10.96.0.0/16'), cidr('fd00:10:96::/112')],
  externalIps: [cidr('203.0.113.0/26'), cidr('203.0.113.200/32')],
  loadBalancerIps: [cidr('203.0.113.64/26')],
  loadBalancers: 'aggregated',
  node: 'included',
};
const WHOLE = ['10.96.0.0/16', '203.0.113.0/26', '203.0.113.64/26', 'fd00:10:96::/112'];

function service(spec: Readonly<Record<string, unknown>>, ingress: readonly string[] = []): Service {
  return serviceSchema.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop' },
    spec,
    status: { loadBalancer: { ingress: ingress.map((ip) => ({ ip })) } },
  });
}

function slice(of: string, nodes: readonly string[], more: Readonly<Record<string, unknown>> = {}): EndpointSlice {
  return endpointSliceSchema.parse({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${of}-x`, namespace: 'shop', labels: { 'kubernetes.io/service-name': of } },
    addressType: 'IPv4',
    endpoints: nodes.map((nodeName) => ({ addresses: ['10.244.1.7'], nodeName, ...more })),
  });
}

const singles = (advertiser: ServiceAdvertiser): readonly string[] =>
  [...advertiser.advertised()].flatMap(([prefix, { services }]) => (services.length === 0 ? [] : [prefix])).sort();

const local = { type: 'LoadBalancer', clusterIP: '10.96.0.9', externalTrafficPolicy: 'Local' };
const rows: readonly {
  readonly name: string;
  readonly given: Service;
  readonly slices?: readonly EndpointSlice[];
  readonly ranges?: Partial<ServiceRanges>;
  readonly expected: readonly string[];
}[] = [
  {
    name: 'policy Cluster: the ranges speak for its addresses',
    given: service({ type: 'LoadBalancer', clusterIP: '10.96.0.9', externalIPs: ['203.0.113.9'] }, ['203.0.113.70']),
    expected: [],
  },
  {
    name: 'policy Local with an endpoint here: each of its addresses inside a range',
    given: service({ ...local, externalIPs: ['203.0.113.9', '192.0.2.1', 'nonsense'] }, ['203.0.113.70', '192.0.2.2']),
    expected: ['10.96.0.9/32', '203.0.113.70/32', '203.0.113.9/32'],
  },
  {
    name: 'policy Local with endpoints elsewhere',
    given: service(local),
    slices: [slice('web', ['n2'])],
    expected: [],
  },
  {
    name: 'policy Local with an endpoint here that is not ready',
    given: service(local),
    slices: [slice('web', ['n1'], { conditions: { ready: false } })],
    expected: [],
  },
  {
    name: 'an endpoint without conditions is ready; one slice of several is enough',
    given: service(local),
    slices: [slice('web', ['n2']), { ...slice('web', ['n1']), metadata: { ...slice('web', []).metadata, name: 'y' } }],
    expected: ['10.96.0.9/32'],
  },
  { name: 'endpoints of another Service', given: service(local), slices: [slice('api', ['n1'])], expected: [] },
  {
    name: 'an IPv6 address needs an IPv6 endpoint',
    given: service({ ...local, clusterIPs: ['10.96.0.9', 'fd00:10:96::9'] }),
    expected: ['10.96.0.9/32'],
  },
  {
    name: 'both families with endpoints of both',
    given: service({ ...local, clusterIPs: ['10.96.0.9', 'fd00:10:96::9'] }),
    slices: [
      slice('web', ['n1']),
      { ...slice('web', ['n1']), addressType: 'IPv6', metadata: { ...slice('web', []).metadata, name: 'six' } },
    ],
    expected: ['10.96.0.9/32', 'fd00:10:96::9/128'],
  },
  {
    name: 'load balancer addresses one by one: also with policy Cluster, from every node',
    given: service({ type: 'LoadBalancer', clusterIP: '10.96.0.9' }, ['203.0.113.70']),
    slices: [slice('web', ['n2'])],
    ranges: { loadBalancers: 'single' },
    expected: ['203.0.113.70/32'],
  },
  {
    name: 'a range of one address goes with the Service that has it',
    given: service({ type: 'ClusterIP', externalIPs: ['203.0.113.200'] }),
    expected: ['203.0.113.200/32'],
  },
  {
    name: 'a range of one address without any endpoint',
    given: service({ type: 'ClusterIP', externalIPs: ['203.0.113.200'] }),
    slices: [slice('web', [])],
    expected: [],
  },
  { name: 'headless', given: service({ clusterIP: 'None', externalTrafficPolicy: 'Local' }), expected: [] },
  {
    name: 'ExternalName',
    given: service({ type: 'ExternalName', externalIPs: ['203.0.113.200'] }),
    expected: [],
  },
  { name: 'an excluded node', given: service(local), ranges: { node: 'excluded' }, expected: [] },
];

for (const { name, given, slices = [slice('web', ['n1'])], ranges, expected } of rows) {
  test(`service addresses: ${name}`, () => {
    const advertiser = createServiceAdvertiser('n1');
    advertiser.setService('shop/web', given);
    for (const each of slices) advertiser.setSlice(`shop/${each.metadata.name}`, each);
    advertiser.configure({ ...RANGES, ...ranges });
    assert.deepEqual(singles(advertiser), expected);
  });
}

test('service ranges: whole from every node, unless single or excluded', () => {
  const advertiser = createServiceAdvertiser('n1');
  const whole = (ranges: ServiceRanges) => {
    advertiser.configure(ranges);
    return [...advertiser.advertised().keys()].sort();
  };
  assert.deepEqual(whole(RANGES), WHOLE);
  assert.equal(advertiser.takeChanged(), true);
  assert.deepEqual(whole({ ...RANGES, loadBalancers: 'single' }), [WHOLE[0], WHOLE[1], WHOLE[3]]);
  assert.deepEqual(whole({ ...RANGES, node: 'excluded' }), []);
});

test('service addresses: a shared one stays until the last Service that has it goes', () => {
  const advertiser = createServiceAdvertiser('n1');
  advertiser.configure(RANGES);
  for (const name of ['web', 'api']) {
    advertiser.setService(`shop/${name}`, service({ ...local, clusterIP: 'None' }, ['203.0.113.70']));
    advertiser.setSlice(`shop/${name}-x`, slice(name, ['n1']));
  }
  advertiser.takeChanged();
  assert.deepEqual(advertiser.advertised().get(cidr('203.0.113.70/32')), { services: ['shop/api', 'shop/web'] });
  advertiser.setSlice('shop/web-x', slice('web', []));
  assert.deepEqual(singles(advertiser), ['203.0.113.70/32']);
  assert.equal(advertiser.takeChanged(), false, 'the prefixes are the same');
  advertiser.setService('shop/api', undefined);
  assert.deepEqual(singles(advertiser), []);
  assert.equal(advertiser.takeChanged(), true);
});

test('service addresses: after any history they are those of the present objects', () => {
  const names = fc.constantFrom('a', 'b', 'c');
  const specs = fc.record({
    type: fc.constantFrom('ClusterIP', 'LoadBalancer', 'ExternalName'),
    clusterIP: fc.constantFrom('10.96.0.1', '10.96.0.2', 'None'),
    externalTrafficPolicy: fc.constantFrom('Local', 'Cluster'),
    externalIPs: fc.subarray(['203.0.113.1', '203.0.113.200', '192.0.2.1']),
  });
  const step = fc.oneof(
    fc.record({ kind: fc.constant('service' as const), name: names, spec: fc.option(specs, { nil: undefined }) }),
    fc.record({
      kind: fc.constant('slice' as const),
      name: names,
      of: names,
      nodes: fc.option(fc.subarray(['n1', 'n2']), { nil: undefined }),
    }),
    fc.record({ kind: fc.constant('node' as const), node: fc.constantFrom('included' as const, 'excluded' as const) }),
  );
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
  const play = (advertiser: ServiceAdvertiser, done: Step): void => {
    if (done.kind === 'node') advertiser.configure({ ...RANGES, node: done.node });
    else if (done.kind === 'service') {
      advertiser.setService(`shop/${done.name}`, done.spec === undefined ? undefined : service(done.spec));
    } else advertiser.setSlice(done.name, done.nodes === undefined ? undefined : slice(done.of, done.nodes));
  };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (history) => {
      const advertiser = createServiceAdvertiser('n1');
      const before = new Map<string, unknown>();
      for (const done of history) {
        play(advertiser, done);
        const after = advertiser.advertised();
        const same = [...after.keys()].sort().join() === [...before.keys()].sort().join();
        assert.equal(advertiser.takeChanged(), !same);
        before.clear();
        for (const [prefix, value] of after) before.set(prefix, value);
      }
      const last = new Map(history.map((done) => [done.kind === 'node' ? 'node' : `${done.kind} ${done.name}`, done]));
      const fresh = createServiceAdvertiser('n1');
      for (const done of last.values()) play(fresh, done);
      assert.deepEqual(new Map([...advertiser.advertised()].sort()), new Map([...fresh.advertised()].sort()));
    }),
    { numRuns: 500 },
  );
});
