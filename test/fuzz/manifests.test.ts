// Nasty manifests and selectors: the answer is always an object or the named error, and whatever stands beside them is
// compiled as if they were not there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { closedPolicy } from '../../datastore/resources/closed-policy.ts';
import type { Resource } from '../../datastore/resources/index.ts';
import { parseManifest } from '../../datastore/resources/manifest.ts';
import { compileWorld } from '../../felix/explain/compile-world.ts';
import { POLICY_TABLE } from '../../felix/render/policy/names.ts';
import { printRuleset } from '../../lib/nftables/print.ts';
import { margay } from '../support/margay-cli.ts';

const runs = Number(process.env['MARGAY_RUNS'] ?? 500);

const GOOD = `
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: node1}
status: {podIPs: [{ip: 10.244.1.2}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec: {podSelector: {matchLabels: {app: web}}}
`;

const linesOf = (file: string): readonly string[] =>
  readFileSync(join(import.meta.dirname, 'corpus', file), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

const ERROR = /^Cannot (accept|parse) .*expected /s;

function read(text: string): { readonly resources: readonly Resource[]; readonly errors: readonly string[] } {
  const objects = parseManifest(text, 'given');
  for (const object of objects) if (!object.ok) assert.match(object.error, ERROR, text);
  return {
    resources: objects.flatMap((object) => (object.ok ? [object.value.resource] : [])),
    errors: objects.flatMap((object) => (object.ok ? [] : [object.error])),
  };
}

const compile = (resources: readonly Resource[]): string =>
  printRuleset({ table: POLICY_TABLE, objects: compileWorld(resources, () => true).objects });

const expected = compile(read(GOOD).resources);

const policyWith = (selector: string): string =>
  `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec: {podSelector: ${selector}}\n`;

test('each selector of the corpus is taken or refused as it says', () => {
  for (const line of linesOf('selectors.txt')) {
    const { resources, errors } = read(policyWith(line.slice(2)));
    assert.equal(errors.length === 0 && resources.length === 1, line.startsWith('+'), `${line}: ${errors.join(' ')}`);
    compile(resources);
  }
});

test('no text of the corpus gives an object, and none disturbs its neighbours', () => {
  for (const line of linesOf('manifests.txt')) {
    const text = JSON.parse(`"${line.replace(/\\(?![nu0])|"/g, '\\$&')}"`) as string;
    assert.deepEqual(read(text).resources, [], line);
    const beside = read(`${text}\n${GOOD}`);
    assert.equal(compile(beside.resources), expected, line);
  }
});

test('all of the corpus at once, through the program', () => {
  const bad = linesOf('manifests.txt').filter((line) => !line.includes('\\') && !line.startsWith('%'));
  const { stdout, stderr, status } = margay(['policy', 'compile', '-f', '-'], [...bad, GOOD].join('\n---\n'));
  assert.equal(status, 1);
  assert.equal(stdout, `add table inet margay\ndelete table inet margay\n${expected}`);
  for (const line of stderr.trimEnd().split('\n')) assert.match(line, /^margay: (warning: |Cannot )/);
});

test('damaged manifests give objects or the named error', () => {
  const damage = fc.array(
    fc.record({
      at: fc.nat(GOOD.length),
      remove: fc.nat(8),
      insert: fc.oneof(
        fc.constantFrom('{', ']', ': ', '\n', '\t', '- ', '&a ', '*a', '"', '|', '0', '~', '!!'),
        fc.string(),
      ),
    }),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(damage, (edits) => {
      let text = GOOD;
      for (const { at, remove, insert } of edits) text = `${text.slice(0, at)}${insert}${text.slice(at + remove)}`;
      compile(read(text).resources);
    }),
    { numRuns: runs },
  );
});

test('any text is read', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (text) => {
      compile(read(text).resources);
    }),
    { numRuns: runs },
  );
});

const { value: anything } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('app', 'In', 'NotIn', 'Exists', 'DoesNotExist', '', 'a', null, 7, true),
    fc.dictionary(fc.constantFrom('matchLabels', 'matchExpressions', 'key', 'operator', 'values', 'app'), tie('value')),
    fc.array(tie('value'), { maxLength: 3 }),
  ),
}));

test('any selector is taken or refused', () => {
  fc.assert(
    fc.property(anything, (selector) => {
      compile(read(policyWith(JSON.stringify(selector))).resources);
    }),
    { numRuns: runs },
  );
});

const { value: anySpec } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    fc.constantFrom('Ingress', 'Admin', 'Deny', 'Accept', '10.0.0.0/8', 'TCP', '', null, 0, 80, -1.5, true),
    fc.dictionary(
      fc.constantFrom(
        ...['podSelector', 'policyTypes', 'ingress', 'egress', 'from', 'to', 'ports', 'port', 'ipBlock', 'cidr'],
        ...['tier', 'priority', 'subject', 'namespaces', 'pods', 'action', 'protocols', 'tcp', 'networks', '__proto__'],
      ),
      tie('value'),
    ),
    fc.array(tie('value'), { maxLength: 3 }),
  ),
}));

test('of anything that is stored as a policy something is in force', () => {
  const keys = ['NetworkPolicy/shop/web', 'ClusterNetworkPolicy/web'] as const;
  fc.assert(
    fc.property(anySpec, fc.constantFrom(...keys), (spec, key) => {
      const [kind] = key.split('/');
      const apiVersion = kind === 'NetworkPolicy' ? 'networking.k8s.io/v1' : 'policy.networking.k8s.io/v1alpha2';
      const closed = closedPolicy(key, { apiVersion, kind, spec });
      assert.ok(closed !== undefined);
      compile([...read(GOOD).resources, closed]);
    }),
    { numRuns: runs },
  );
});
