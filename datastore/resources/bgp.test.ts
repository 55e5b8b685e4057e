import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS, type Kind } from './index.ts';
import { parseManifest } from './manifest.ts';
import { parseResource } from './parse.ts';
import { secretSchema, secretText } from './secret.ts';

const object = (kind: Kind, spec: unknown, name = 'x'): unknown => ({
  apiVersion: KINDS[kind].apiVersion,
  kind,
  metadata: { name },
  spec,
});
const peer = (spec: object): unknown => object('BGPPeer', spec);
const tor = (spec: object): unknown => peer({ peerIP: '198.51.100.254', asNumber: 64600, ...spec });
const rule = (given: object): unknown => object('BGPFilter', { importV4: [given] });

/** What is said of an object, without its head; `undefined`: it is accepted. */
function refusal(given: unknown): string | undefined {
  const parsed = parseResource(given);
  return parsed.ok ? undefined : parsed.error.replace(/^Cannot accept \w+ "[^"]*": /, '');
}

const REFUSED: readonly (readonly [name: string, given: unknown, expected: string])[] = [
  [
    'nobody',
    peer({}),
    'spec.peerIP: is missing, expected peerIP, peerSelector or autoDiscovery; spec.asNumber: is missing, expected that of the peer',
  ],
  [
    'a selector and an address',
    tor({ peerSelector: 'all()', asNumber: undefined }),
    'spec.peerSelector: "all()" stands beside peerIP "198.51.100.254", expected one of them',
  ],
  [
    'a selector and an AS number',
    peer({ peerSelector: 'all()', asNumber: 1 }),
    'spec.asNumber: 1 stands beside peerSelector, expected that the nodes tell theirs',
  ],
  [
    'a selector that is none',
    peer({ peerSelector: 'rack =' }),
    'spec.peerSelector: selector "rack =": at character 6 "=" stands there, expected ==, !=, contains, starts with, ends with, in or not in',
  ],
  [
    'a gateway and an address',
    tor({ autoDiscovery: { mode: 'DefaultGateway' } }),
    'spec.autoDiscovery: stands beside peerIP, expected one of them',
  ],
  [
    'pods',
    peer({ localWorkloadSelector: 'all()' }),
    'spec.localWorkloadSelector: peering with pods is not supported, expected peerIP or peerSelector',
  ],
  [
    'a reverse of nothing',
    tor({ reversePeering: 'Auto' }),
    'spec.reversePeering: "Auto" stands without peerSelector, expected one beside it',
  ],
  [
    'the loopback',
    peer({ peerIP: '127.0.0.1', asNumber: 1 }),
    'spec.peerIP: "127.0.0.1" is not the address of a router, expected a unicast address',
  ],
  [
    'two distances',
    tor({ ttlSecurity: 1, ebgpMultihop: 3 }),
    'spec.ebgpMultihop: 3 stands beside ttlSecurity 1, expected one of them',
  ],
  [
    'BFD and graceful restart',
    tor({ bfd: {}, gracefulRestart: {} }),
    'spec.bfd: stands beside gracefulRestart, expected one of them because BFD drops what a graceful restart would keep',
  ],
  [
    'BFD and a restart time',
    tor({ bfd: {}, maxRestartTime: '1m' }),
    'spec.bfd: stands beside maxRestartTime, expected one of them because BFD drops what a graceful restart would keep',
  ],
  [
    'two restart times',
    tor({ gracefulRestart: { restartTime: '1m' }, maxRestartTime: '1m' }),
    'spec.gracefulRestart: restartTime stands beside maxRestartTime, expected one of them',
  ],
  [
    'a restart time too long for the wire',
    tor({ maxRestartTime: '2h' }),
    'spec.maxRestartTime: "2h" is out of range, expected 1s to 4095s in whole seconds',
  ],
  [
    'a hold time below the keepalive',
    tor({ holdTime: '9s', keepaliveTime: '10s' }),
    'spec.holdTime: "9s" does not outlast keepaliveTime "10s", expected a longer time',
  ],
  [
    'half a second',
    tor({ keepaliveTime: '1500ms' }),
    'spec.keepaliveTime: "1500ms" is out of range, expected 1s to 21845s in whole seconds',
  ],
  [
    'a gateway of the other family',
    tor({ reachableBy: 'fd00::1' }),
    'spec.reachableBy: "fd00::1" is of another address family than peerIP "198.51.100.254", expected the same',
  ],
  [
    'a peer behind itself',
    tor({ reachableBy: '198.51.100.254' }),
    'spec.reachableBy: "198.51.100.254" is the peer itself, expected the gateway before it',
  ],
  [
    'two next hop modes',
    tor({ keepOriginalNextHop: true, nextHopMode: 'Self' }),
    'spec.keepOriginalNextHop: true stands beside nextHopMode "Self", expected one of them',
  ],
  [
    'too many own numbers',
    tor({ numAllowedLocalASNumbers: 11 }),
    'spec.numAllowedLocalASNumbers: 11 is out of range, expected at most 10',
  ],
  [
    'an operator without CIDR',
    rule({ matchOperator: 'In', action: 'Accept' }),
    'spec.importV4[0].cidr: is missing, expected one beside matchOperator',
  ],
  [
    'a CIDR without operator',
    rule({ cidr: '10.0.0.0/8', action: 'Accept' }),
    'spec.importV4[0].matchOperator: is missing, expected one beside cidr',
  ],
  [
    'a length without CIDR',
    rule({ prefixLength: { min: 8 }, action: 'Accept' }),
    'spec.importV4[0].cidr: is missing, expected one beside prefixLength',
  ],
  [
    'IPv6 in a rule of IPv4',
    rule({ cidr: 'fd00::/8', matchOperator: 'In', action: 'Accept' }),
    'spec.importV4[0].cidr: "fd00::/8" is not IPv4, expected IPv4',
  ],
  [
    'a length that is none',
    rule({ cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { max: 33 }, action: 'Accept' }),
    'spec.importV4[0].prefixLength.max: 33 is out of range, expected at most 32',
  ],
  [
    'reversed lengths',
    rule({ cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { min: 24, max: 16 }, action: 'Accept' }),
    'spec.importV4[0].prefixLength: min 24 is above max 16, expected at most 16',
  ],
  [
    'operations of a rejection',
    rule({ action: 'Reject', operations: [{ setPriority: { value: 1 } }] }),
    'spec.importV4[0].operations: stand beside action "Reject", expected "Accept"',
  ],
  [
    'two operations in one',
    rule({ action: 'Accept', operations: [{ setPriority: { value: 1 }, addCommunity: { value: '1:1' } }] }),
    'spec.importV4[0].operations[0]: has 2 operations, expected one of addCommunity, prependASPath and setPriority',
  ],
  [
    'two communities',
    rule({ action: 'Accept', communities: { values: ['1:1', '1:2'] } }),
    'spec.importV4[0].communities.values: has 2 entries, expected at most 1',
  ],
  [
    'a community too large',
    rule({ action: 'Accept', communities: { values: ['65536:1'] } }),
    'spec.importV4[0].communities.values[0]: "65536:1" is not a community, expected AA:NN of two numbers up to 65535, or AA:NN:MM of three up to 4294967295',
  ],
  [
    'an action in lower case',
    rule({ action: 'accept' }),
    'spec.importV4[0].action: "accept", expected Accept or Reject',
  ],
  [
    'a configuration that nobody reads',
    object('BGPConfiguration', {}, 'mine'),
    'metadata.name: "mine" is read by nobody, expected "default" or "node.NAME"',
  ],
  [
    'a mesh password of one node',
    object('BGPConfiguration', { nodeMeshPassword: { secretKeyRef: { name: 's', key: 'k' } } }, 'node.n1'),
    'spec.nodeMeshPassword: is of one node, expected it in "default"',
  ],
  [
    'a community that is half a number',
    object('BGPConfiguration', { prefixAdvertisements: [{ cidr: '10.0.0.0/8', communities: ['64512:'] }] }, 'default'),
    'spec.prefixAdvertisements[0].communities[0]: "64512:" is neither a community nor the name of one, expected such as "64512:100"',
  ],
];

for (const [name, given, expected] of REFUSED) {
  test(`parseResource() refuses ${name}`, () => assert.equal(refusal(given), expected));
}

const ACCEPTED: readonly (readonly [name: string, given: unknown])[] = [
  [
    'all that a BGPPeer may say together',
    tor({
      node: 'n1',
      localASNumber: '1.10',
      password: { secretKeyRef: { name: 's', key: 'k' } },
      sourceAddress: 'None',
      nextHopMode: 'Keep',
      keepOriginalNextHop: true,
      maxRestartTime: '90s',
      keepaliveTime: '3s',
      holdTime: '9s',
      ttlSecurity: 1,
      numAllowedLocalASNumbers: 1,
      reachableBy: '198.51.100.1',
      filters: ['a'],
      maxPrefixes: 10,
      importCIDRs: ['0.0.0.0/0'],
      connectRetry: '1s',
    }),
  ],
  [
    'peers by selector',
    peer({ nodeSelector: 'all()', peerSelector: "route-reflector == 'true'", reversePeering: 'Manual' }),
  ],
  ['BFD without graceful restart', tor({ bfd: { receiveInterval: '300ms' }, gracefulRestart: { enabled: false } })],
  [
    'a rule of all conditions',
    rule({
      cidr: '10.0.0.0/8',
      matchOperator: 'NotIn',
      prefixLength: { min: 16 },
      source: 'RemotePeers',
      interface: '*.calico',
      peerType: 'eBGP',
      communities: { values: ['1:2:3'] },
      asPathPrefix: [64600, '1.10'],
      priority: 1024,
      action: 'Accept',
      operations: [
        { addCommunity: { value: '65535:0' } },
        { prependASPath: { prefix: [1, 2] } },
        { setPriority: { value: 512 } },
      ],
    }),
  ],
  [
    'a configuration of a node',
    object(
      'BGPConfiguration',
      { asNumber: 65001, listenPort: 1790, bindMode: 'None', ignoredInterfaces: ['eth*'] },
      'node.n1',
    ),
  ],
];

for (const [name, given] of ACCEPTED)
  test(`parseResource() accepts ${name}`, () => assert.equal(refusal(given), undefined));

const secret = (fields: object): unknown => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'bgp', namespace: 'kube-system' },
  ...fields,
});

test('parseResource() says nothing of what stands in a Secret', () => {
  const expected = [
    [{ data: { tor: 'not base64!' } }, 'data.tor: its value is not shown, expected base64'],
    [{ stringData: { tor: 12345 } }, 'stringData.tor: its value is not shown, expected a string'],
    [{ data: 'c2VjcmV0' }, 'data: is no object, expected an object'],
  ] as const;
  for (const [given, why] of expected) assert.equal(refusal(secret(given)), why);
});

test('secretText() reads base64 and text, text first', () => {
  const parsed = secretSchema.parse(secret({ data: { a: 'c2VjcmV0', b: 'w7w=', c: '' }, stringData: { b: 'two' } }));
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'constructor'].map((key) => secretText(parsed, key)),
    ['secret', 'two', '', undefined, undefined],
  );
});

test('parseManifest() keeps the text of a Secret in base64 alone', () => {
  const [entry] = parseManifest(JSON.stringify(secret({ stringData: { tor: 'correct horse' } })), 'bgp.yaml');
  assert.ok(entry?.ok);
  assert.doesNotMatch(JSON.stringify(entry.value), /correct horse/);
  assert.deepEqual(entry.value.raw['data'], { tor: 'Y29ycmVjdCBob3JzZQ==' });
});
