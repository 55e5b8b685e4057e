import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseResource } from './parse.ts';

const anyone = [{ namespaces: {} }];
const rule = { action: 'Deny', from: anyone };
const out = (more: object): object => ({ egress: [{ action: 'Deny', to: anyone, ...more }] });

const object = (spec: object): object => ({
  apiVersion: 'policy.networking.k8s.io/v1alpha2',
  kind: 'ClusterNetworkPolicy',
  metadata: { name: 'p' },
  spec: { tier: 'Admin', priority: 0, subject: { namespaces: {} }, ...spec },
});

describe('parseResource() of a ClusterNetworkPolicy', () => {
  const accepted: readonly { readonly name: string; readonly given: object }[] = [
    { name: 'without rules', given: {} },
    { name: 'of the Baseline with the last priority', given: { tier: 'Baseline', priority: 1000 } },
    { name: 'with a subject of pods', given: { subject: { pods: { namespaceSelector: {}, podSelector: {} } } } },
    { name: 'with as many rules as there may be', given: { ingress: Array(25).fill(rule) } },
    {
      name: 'with networks, nodes and domain names',
      given: out({ to: [{ networks: ['10.0.0.0/8', 'fd00::/8'] }, { nodes: {} }, { domainNames: ['*.example.org'] }] }),
    },
    {
      name: 'with a port of each kind',
      given: out({
        protocols: [
          { tcp: { destinationPort: { number: 1 } } },
          { udp: { destinationPort: { range: { start: 1, end: 2 } } } },
          { sctp: {} },
          { destinationNamedPort: 'dns' },
        ],
      }),
    },
    { name: 'with a peer of a newer API', given: { ingress: [{ action: 'Deny', from: [{ galaxies: {} }] }] } },
    { name: 'with a peer without fields', given: { ingress: [{ action: 'Deny', from: [{}] }] } },
    { name: 'with a protocol of a newer API', given: { ingress: [{ ...rule, protocols: [{ quic: {} }] }] } },
  ];
  for (const { name, given } of accepted) {
    test(`accepts one ${name}`, () => {
      const parsed = parseResource(object(given));
      assert.ok(parsed.ok, parsed.ok ? '' : parsed.error);
    });
  }

  const refused: readonly { readonly name: string; readonly given: object; readonly expected: RegExp }[] = [
    { name: 'another tier', given: { tier: 'Default' }, expected: /spec\.tier: "Default", expected Admin or Baseline/ },
    {
      name: 'a priority beyond the last',
      given: { priority: 1001 },
      expected: /spec\.priority: 1001 is out of range, expected 0 to 1000/,
    },
    {
      name: 'a subject of both kinds',
      given: { subject: { namespaces: {}, pods: { podSelector: {} } } },
      expected: /spec\.subject: namespaces stands beside pods/,
    },
    {
      name: 'an empty subject',
      given: { subject: {} },
      expected: /spec\.subject: is empty, expected one of namespaces, pods/,
    },
    {
      name: 'pods without podSelector',
      given: { subject: { pods: {} } },
      expected: /spec\.subject\.pods\.podSelector: is missing/,
    },
    {
      name: 'another action',
      given: { ingress: [{ ...rule, action: 'Allow' }] },
      expected: /ingress\[0\]\.action: "Allow", expected Accept, Deny or Pass/,
    },
    {
      name: 'a rule without peers',
      given: { ingress: [{ action: 'Deny', from: [] }] },
      expected: /ingress\[0\]\.from: has 0 entries, expected at least 1/,
    },
    {
      name: 'too many rules',
      given: { ingress: Array(26).fill(rule) },
      expected: /spec\.ingress: has 26 entries, expected at most 25/,
    },
    {
      name: 'a long name of a rule',
      given: { ingress: [{ ...rule, name: 'x'.repeat(101) }] },
      expected: /name: .* has 101 characters/,
    },
    {
      name: 'a peer of two kinds',
      given: out({ to: [{ nodes: {}, networks: ['::/0'] }] }),
      expected: /egress\[0\]\.to\[0\]: nodes stands beside networks/,
    },
    {
      name: 'a network that is none',
      given: out({ to: [{ networks: ['10.0.0.0/33'] }] }),
      expected: /networks\[0\]: CIDR "10\.0\.0\.0\/33"/,
    },
    {
      name: 'a domain name that is none',
      given: out({ to: [{ domainNames: ['a.*.org'] }] }),
      expected: /domainNames\[0\]/,
    },
    { name: 'an empty list of protocols', given: out({ protocols: [] }), expected: /protocols: has 0 entries/ },
    {
      name: 'a protocol of two kinds',
      given: out({ protocols: [{ tcp: {}, udp: {} }] }),
      expected: /protocols\[0\]: tcp stands beside udp/,
    },
    {
      name: 'a number beside a range',
      given: out({ protocols: [{ tcp: { destinationPort: { number: 1, range: { start: 1, end: 2 } } } }] }),
      expected: /destinationPort: number stands beside range/,
    },
    {
      name: 'a range of one port',
      given: out({ protocols: [{ tcp: { destinationPort: { range: { start: 5, end: 5 } } } }] }),
      expected: /range\.end: 5 is not above start 5/,
    },
    {
      name: 'named ports of networks',
      given: out({ to: [{ networks: ['::/0'] }], protocols: [{ destinationNamedPort: 'http' }] }),
      expected: /destinationNamedPort: stands beside networks/,
    },
  ];
  for (const { name, given, expected } of refused) {
    test(`refuses ${name}`, () => {
      const parsed = parseResource(object(given));
      assert.match(parsed.ok ? 'accepted' : parsed.error, expected);
    });
  }
});
