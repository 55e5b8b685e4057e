import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS, type Kind } from './index.ts';
import { parseResource } from './parse.ts';

const object = (kind: Kind, spec: unknown, metadata: object = {}): unknown => ({
  apiVersion: KINDS[kind].apiVersion,
  kind,
  metadata: { name: 'web', ...(KINDS[kind].namespaced ? { namespace: 'shop' } : {}), ...metadata },
  spec,
});
const policy = (spec: unknown): unknown => object('NetworkPolicy', spec);
const port = (value: unknown): unknown => policy({ podSelector: {}, ingress: [{ ports: [value] }] });
const peer = (value: unknown): unknown => policy({ podSelector: {}, egress: [{ to: [value] }] });
const POLICY = 'Cannot accept NetworkPolicy "shop/web": ';
const PORT = `${POLICY}spec.ingress[0].ports[0]`;
const PEER = `${POLICY}spec.egress[0].to[0]`;
const LABEL = 'expected a label value: letters, digits, "-", "_" and ".", first and last a letter or digit';

const refused: readonly { name: string; given: unknown; expected: string }[] = [
  {
    name: 'nothing',
    given: undefined,
    expected: 'Cannot accept object: is missing, expected an object with apiVersion and kind',
  },
  {
    name: 'a list',
    given: [],
    expected: 'Cannot accept object: is a list, expected an object with apiVersion and kind',
  },
  {
    name: 'an unknown kind',
    given: { kind: 'Foo', metadata: { name: 'x', namespace: 'shop' } },
    expected: `Cannot accept kind "Foo" of "shop/x": unknown, expected one of ${Object.keys(KINDS).join(', ')}`,
  },
  {
    name: 'another apiVersion',
    given: { apiVersion: 'extensions/v1beta1', kind: 'NetworkPolicy', metadata: { name: 'web' } },
    expected:
      'Cannot accept NetworkPolicy "default/web": apiVersion: "extensions/v1beta1", expected "networking.k8s.io/v1"',
  },
  {
    name: 'no metadata',
    given: { apiVersion: 'v1', kind: 'Namespace' },
    expected: 'Cannot accept Namespace without a name: metadata: is missing, expected an object',
  },
  {
    name: 'a name in upper case',
    given: object('Node', {}, { name: 'Web' }),
    expected: 'Cannot accept Node "Web": metadata.name: "Web", expected lower case letters, digits, "-" and "."',
  },
  {
    name: 'a label value with a blank',
    given: object('Node', {}, { labels: { app: 'a b' } }),
    expected: `Cannot accept Node "web": metadata.labels.app: "a b", ${LABEL}`,
  },
  {
    name: 'a label value that is no string',
    given: object('Node', {}, { labels: { 'example.org/on': true } }),
    expected: 'Cannot accept Node "web": metadata.labels["example.org/on"]: true, expected a string',
  },
  {
    name: 'a label key with a blank',
    given: object('Node', {}, { labels: { 'a b': 'c' } }),
    expected:
      'Cannot accept Node "web": metadata.labels: key "a b", expected a label key such as "app" or "example.org/app"',
  },
  { name: 'port 0', given: port({ port: 0 }), expected: `${PORT}.port: 0 is out of range, expected 1 to 65535` },
  {
    name: 'port 65536',
    given: port({ port: 65536 }),
    expected: `${PORT}.port: 65536 is out of range, expected 1 to 65535`,
  },
  {
    name: 'half a port',
    given: port({ port: 1.5 }),
    expected: `${PORT}.port: 1.5, expected a port number or a port name`,
  },
  {
    name: 'a port number as text',
    given: port({ port: '80' }),
    expected: `${PORT}.port: "80", expected a port name: lower case letters, digits, "-"`,
  },
  {
    name: 'a list as port',
    given: port({ port: [80] }),
    expected: `${PORT}.port: is a list, expected a port number or a port name`,
  },
  {
    name: 'a long port name',
    given: port({ port: 'sixteen-letters-' }),
    expected: `${PORT}.port: "sixteen-letters-" has 16 characters, expected at most 15; ${PORT.slice(POLICY.length)}.port: "sixteen-letters-", expected a port name: lower case letters, digits, "-"`,
  },
  {
    name: 'a reversed range',
    given: port({ port: 90, endPort: 80 }),
    expected: `${PORT}.endPort: 80 is below port 90, expected at least 90`,
  },
  {
    name: 'a range without start',
    given: port({ endPort: 80 }),
    expected: `${PORT}.endPort: 80 without a numeric port, expected port to be a number`,
  },
  {
    name: 'an unknown protocol',
    given: port({ protocol: 'tcp' }),
    expected: `${PORT}.protocol: "tcp", expected TCP, UDP or SCTP`,
  },
  {
    name: 'a peer of two kinds',
    given: peer({ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }),
    expected: `${PEER}: ipBlock stands beside a selector, expected ipBlock alone`,
  },
  {
    name: 'a bad CIDR',
    given: peer({ ipBlock: { cidr: '10.0.0.0/33' } }),
    expected: `${PEER}.ipBlock.cidr: CIDR "10.0.0.0/33": prefix length 33, expected at most 32`,
  },
  {
    name: 'an address as CIDR',
    given: peer({ ipBlock: { cidr: '10.0.0.1' } }),
    expected: `${PEER}.ipBlock.cidr: CIDR "10.0.0.1": expected ADDRESS/LENGTH`,
  },
  {
    name: 'an exception outside',
    given: peer({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16', '11.0.0.0/16'] } }),
    expected: `${PEER}.ipBlock.except[1]: "11.0.0.0/16" is not strictly inside "10.0.0.0/8", expected a part of it`,
  },
  {
    name: 'an unknown operator',
    given: policy({ podSelector: { matchExpressions: [{ key: 'app', operator: 'Is', values: ['x'] }] } }),
    expected: `${POLICY}spec.podSelector.matchExpressions[0].operator: "Is", expected In, NotIn, Exists or DoesNotExist`,
  },
  {
    name: 'In without values',
    given: policy({ podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: [] }] } }),
    expected: `${POLICY}spec.podSelector.matchExpressions[0].values: has 0 entries, expected at least 1`,
  },
  {
    name: 'Exists with values',
    given: policy({ podSelector: { matchExpressions: [{ key: 'app', operator: 'Exists', values: ['x'] }] } }),
    expected: `${POLICY}spec.podSelector.matchExpressions[0].values: has 1 entries, expected at most 0`,
  },
  {
    name: 'an unknown policy type',
    given: policy({ podSelector: {}, policyTypes: ['ingress'] }),
    expected: `${POLICY}spec.policyTypes[0]: "ingress", expected Ingress or Egress`,
  },
  {
    name: 'a rule that is nothing',
    given: policy({ podSelector: {}, ingress: [null] }),
    expected: `${POLICY}spec.ingress[0]: null, expected an object`,
  },
  {
    name: 'more findings than are shown',
    given: policy({ podSelector: {}, ingress: [{ ports: [0, 0, 0, 0, 0, 0, 0] }] }),
    expected: `${POLICY}${[0, 1, 2, 3, 4].map((n) => `spec.ingress[0].ports[${n}]: 0, expected an object`).join('; ')}; and 2 more`,
  },
  {
    name: 'a container port out of range',
    given: object('Pod', { containers: [{ name: 'c', ports: [{ containerPort: 70000 }] }] }),
    expected:
      'Cannot accept Pod "shop/web": spec.containers[0].ports[0].containerPort: 70000 is out of range, expected 1 to 65535',
  },
  {
    name: 'a block larger than its pool',
    given: object('IPPool', { cidr: '10.0.0.0/26' }),
    expected:
      'Cannot accept IPPool "web": spec.blockSize: a block of /24 is larger than the pool "10.0.0.0/26", expected at least 26',
  },
  {
    name: 'a block size of IPv4 in an IPv6 pool',
    given: object('IPPool', { cidr: 'fd00:10:244::/48', blockSize: 26 }),
    expected: 'Cannot accept IPPool "web": spec.blockSize: 26 is out of range, expected 116 to 128',
  },
  {
    name: 'AS number 0',
    given: object('BGPConfiguration', { asNumber: 0 }),
    expected:
      'Cannot accept BGPConfiguration "web": spec.asNumber: AS number "0": out of range or malformed, expected 1 to 4294967295 or dotted HIGH.LOW',
  },
  {
    name: 'a peer that is a name',
    given: object('BGPPeer', { peerIP: 'tor', asNumber: 64600 }),
    expected:
      'Cannot accept BGPPeer "web": spec.peerIP: "tor" is not a peer address, expected ADDRESS, ADDRESS:PORT or [IPV6]:PORT',
  },
  {
    name: 'a reserved range by its ends',
    given: object('IPReservation', { reservedCIDRs: ['10.244.1.2-10.244.1.9'] }),
    expected:
      'Cannot accept IPReservation "web": spec.reservedCIDRs[0]: range "10.244.1.2-10.244.1.9": expected ADDRESS or ADDRESS/LENGTH',
  },
  {
    name: 'a peer without AS number',
    given: object('BGPPeer', { peerIP: '198.51.100.1' }),
    expected: 'Cannot accept BGPPeer "web": spec.asNumber: is missing, expected that of the peer',
  },
  {
    name: 'a peer of a node and of a selector',
    given: object('BGPPeer', { peerIP: '198.51.100.1', asNumber: 1, node: 'n1', nodeSelector: 'all()' }),
    expected: 'Cannot accept BGPPeer "web": spec.nodeSelector: "all()" stands beside node "n1", expected one of them',
  },
];

for (const { name, given, expected } of refused) {
  test(`parseResource() refuses ${name}`, () => assert.deepEqual(parseResource(given), { ok: false, error: expected }));
}

const spec = (given: unknown): unknown => {
  const parsed = parseResource(given);
  return parsed.ok ? Reflect.get(parsed.value, 'spec') : parsed.error;
};

const accepted: readonly { name: string; given: unknown; expected: unknown }[] = [
  {
    name: 'null as absent',
    given: policy({ podSelector: null, ingress: null, egress: [{ to: null, ports: [{ port: 80, endPort: null }] }] }),
    expected: { podSelector: {}, egress: [{ ports: [{ protocol: 'TCP', port: 80 }] }] },
  },
  { name: 'fields that it does not know', given: object('Node', { podCIDR: 'x' }), expected: { podCIDR: 'x' } },
  {
    name: 'a CIDR with host bits',
    given: object('IPPool', { cidr: '10.244.1.2/16' }),
    expected: { cidr: '10.244.0.0/16' },
  },
  {
    name: 'single addresses among reserved ranges',
    given: object('IPReservation', { reservedCIDRs: ['10.244.1.2', 'FD00::a', '10.244.2.9/29'] }),
    expected: { reservedCIDRs: ['10.244.1.2/32', 'fd00::a/128', '10.244.2.8/29'] },
  },
  {
    name: 'a dotted AS number',
    given: object('BGPConfiguration', { asNumber: '1.10' }, { name: 'default' }),
    expected: { asNumber: 65546 },
  },
  {
    name: 'an IPv6 peer with a port',
    given: object('BGPPeer', { peerIP: '[fd00::1]:1179', asNumber: 64600 }),
    expected: { peerIP: '[fd00::1]:1179', asNumber: 64600 },
  },
  {
    name: 'a port name',
    given: policy({ podSelector: {}, ingress: [{ ports: [{ port: 'http-2' }] }] }),
    expected: { podSelector: {}, ingress: [{ ports: [{ protocol: 'TCP', port: 'http-2' }] }] },
  },
];

for (const { name, given, expected } of accepted) {
  test(`parseResource() accepts ${name}`, () => assert.deepEqual(spec(given), expected));
}

test('parseResource() puts namespaced objects without namespace into default', () => {
  const parsed = parseResource({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', creationTimestamp: null },
    spec: {},
  });
  assert.deepEqual(parsed.ok && parsed.value.metadata, { name: 'a', namespace: 'default' });
});
