import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { policy } from '../../test/policy/world-builder.ts';
import { convertNetworkPolicy } from '../convert/network-policy.ts';
import { type Policy, TIERS } from '../ir.ts';
import { ALL_PODS } from '../pod-scope.ts';
import { lowerPolicy } from './lower.ts';

type Spec = Parameters<typeof policy>[1];
const matchesOf = (spec: Spec, direction: 'ingress' | 'egress' = 'ingress') =>
  lowerPolicy(convertNetworkPolicy(policy('n/p', spec)), direction).chain.matches.map(
    ({ ref: _ref, action: _action, ...condition }) => condition,
  );

describe('lowerPolicy()', () => {
  const rows: readonly { readonly name: string; readonly given: Spec; readonly expected: readonly unknown[] }[] = [
    { name: 'is one match without conditions for an empty rule', given: { ingress: [{}] }, expected: [{}] },
    { name: 'is no match for no rule', given: { ingress: [] }, expected: [] },
    {
      name: 'merges the ports of each protocol',
      given: {
        ingress: [
          {
            ports: [{ port: 81 }, { port: 80 }, { protocol: 'UDP', port: 53 }, { port: 80, endPort: 90 }, { port: 99 }],
          },
        ],
      },
      expected: [
        {
          ports: {
            protocol: 'tcp',
            ranges: [
              { from: 80, to: 90 },
              { from: 99, to: 99 },
            ],
          },
        },
        { ports: { protocol: 'udp', ranges: [{ from: 53, to: 53 }] } },
      ],
    },
    {
      name: 'leaves out the ports of a protocol that is allowed as a whole',
      given: { ingress: [{ ports: [{ port: 81 }, {}, { protocol: 'SCTP' }] }] },
      expected: [{ protocols: ['tcp', 'sctp'] }],
    },
    {
      name: 'joins the blocks of a rule, without their exceptions, into one set per family',
      given: {
        ingress: [
          {
            from: [
              { ipBlock: { cidr: '10.0.0.0/30', except: ['10.0.0.1/32'] } },
              { ipBlock: { cidr: '10.0.0.4/30' } },
              { ipBlock: { cidr: 'fd00::/127' } },
            ],
          },
        ],
      },
      expected: [
        { family: 4, peer: { kind: 'ranges', set: 'nets 10.0.0.0-10.0.0.0 10.0.0.2-10.0.0.7' } },
        { family: 6, peer: { kind: 'ranges', set: 'nets fd00::-fd00::1' } },
      ],
    },
    {
      name: 'needs no set for a whole family',
      given: { ingress: [{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }, { ipBlock: { cidr: '10.0.0.0/8' } }] }] },
      expected: [{ family: 4 }],
    },
    {
      name: 'resolves a named port of ingress at the subject',
      given: { podSelector: { matchLabels: { app: 'web' } }, ingress: [{ ports: [{ port: 'http' }] }] },
      expected: [
        { family: 4, namedPorts: 'ports tcp http =n|app in ("web")' },
        { family: 6, namedPorts: 'ports tcp http =n|app in ("web")' },
      ],
    },
  ];
  for (const { name, given, expected } of rows) test(name, () => assert.deepEqual(matchesOf(given), expected));

  test('resolves a named port of egress at the peer', () => {
    const spec: Spec = {
      egress: [{ to: [{ podSelector: { matchLabels: { app: 'db' } } }], ports: [{ port: 'sql' }, { port: 80 }] }],
    };
    assert.deepEqual(matchesOf(spec, 'egress'), [
      {
        family: 4,
        peer: { kind: 'addresses', set: 'pods =n|app in ("db")' },
        ports: { protocol: 'tcp', ranges: [{ from: 80, to: 80 }] },
      },
      {
        family: 6,
        peer: { kind: 'addresses', set: 'pods =n|app in ("db")' },
        ports: { protocol: 'tcp', ranges: [{ from: 80, to: 80 }] },
      },
      { family: 4, namedPorts: 'ports tcp sql =n|app in ("db")' },
      { family: 6, namedPorts: 'ports tcp sql =n|app in ("db")' },
    ]);
  });

  for (const { action, expected } of [
    { action: 'allow' as const, expected: [] },
    { action: 'deny' as const, expected: [{ action: 'deny' }] },
    { action: 'pass' as const, expected: [{ action: 'deny' }] },
  ]) {
    test(`fails closed on a peer that cannot be understood in a rule to ${action}`, () => {
      const base = convertNetworkPolicy(policy('n/p'));
      const ref = { policy: base.key, direction: 'ingress', index: 0 } as const;
      const given: Policy = {
        key: base.key,
        tier: TIERS.admin,
        order: 1,
        subject: ALL_PODS,
        ingress: [{ ref, action, peers: [{ kind: 'nothing', why: 'unknown' }], ports: 'any' }],
      };
      assert.deepEqual(
        lowerPolicy(given, 'ingress').chain.matches,
        expected.map((match) => ({ ref, ...match })),
      );
    });
  }
});
