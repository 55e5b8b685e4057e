import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RULE_ROWS } from '../test/policy/rule-rows/index.ts';
import { packet, policy, world } from '../test/policy/world-builder.ts';
import { verdict } from './oracle.ts';

describe('verdict()', () => {
  for (const { name, given, expected } of RULE_ROWS) {
    test(`rule ${name}`, () => {
      for (const [text, fate] of Object.entries(expected)) {
        const judgement = verdict(given, packet(text));
        assert.equal(judgement.allowed ? 'allow' : 'deny', fate, `${text}: ${JSON.stringify(judgement)}`);
      }
    });
  }

  const given = world({
    pods: { 'shop/web': {}, 'shop/db': { labels: { app: 'db' }, ports: ['sql=tcp/5432'] } },
    policies: [
      policy('shop/deny'),
      policy('shop/allow', { podSelector: { matchLabels: { app: 'db' } }, ingress: [{ ports: [{ port: 5432 }] }] }),
    ],
  });

  const rows = [
    {
      name: 'names the rule that allows',
      given: 'shop/web > shop/db tcp/sql',
      expected: {
        kind: 'allow',
        by: { kind: 'rule', rule: { policy: 'NetworkPolicy/shop/allow', direction: 'ingress', index: 0 } },
      },
    },
    {
      name: 'names the policies that isolate',
      given: 'shop/web > shop/db tcp/80',
      expected: {
        kind: 'deny',
        by: { kind: 'isolated', policies: ['NetworkPolicy/shop/deny', 'NetworkPolicy/shop/allow'] },
      },
    },
    {
      name: 'says that the port is not there',
      given: 'shop/db > shop/web tcp/sql',
      expected: { kind: 'deny', by: { kind: 'no-such-port' } },
    },
    {
      name: 'says that the pod is not there',
      given: 'shop/web > shop/gone tcp/80',
      expected: { kind: 'deny', by: { kind: 'no-address' } },
    },
    {
      name: 'says that the target is no pod',
      given: 'shop/web > 203.0.113.9 tcp/80',
      expected: { kind: 'allow', by: { kind: 'not-a-pod' } },
    },
  ];
  for (const row of rows) {
    test(row.name, () => assert.deepEqual(verdict(given, packet(row.given)).ingress, row.expected));
  }
});
