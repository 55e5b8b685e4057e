import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyOf, type Resource } from '../../datastore/resources/index.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { hostIfName } from '../../lib/linux/if-name.ts';
import { printRuleset } from '../../lib/nftables/print.ts';
import { unwrap } from '../../lib/result.ts';
import { attachmentFor } from '../../test/support/attachment.ts';
import { FIRST_GENERATION } from '../render/policy/generation.ts';
import { POLICY_TABLE } from '../render/policy/names.ts';
import { createModel, type Model } from './model.ts';

const object = (raw: object): Resource => unwrap(parseResource(raw));

const namespace = object({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } });
const node = object({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'one' } });
const policy = object({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { namespace: 'n', name: 'web' },
  spec: { podSelector: { matchLabels: { app: 'web' } }, ingress: [{ from: [{ podSelector: {} }] }] },
});
const podAs = (spec: object, status: object = {}, metadata: object = {}): Resource =>
  object({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'n', name: 'web', uid: 'u1', labels: { app: 'web' }, ...metadata },
    spec,
    status,
  });
const bound = podAs({ nodeName: 'one' });

const IF_NAME = hostIfName('n', 'web');
const attachment = attachmentFor({ namespace: 'n', name: 'web', ip: '10.244.0.1', uid: 'u1' });

function modelWith(...objects: readonly Resource[]): Model {
  const model = createModel({ node: 'one', generation: FIRST_GENERATION });
  for (const one of [namespace, node, policy, ...objects]) tell(model, one);
  model.drainNft('keep');
  return model;
}

const tell = (model: Model, value: Resource, how: 'set' | 'delete' = 'set'): void =>
  model.accept({
    kind: 'resource',
    change: { key: keyOf(value), value: how === 'set' ? value : undefined },
    version: '1',
  });

const tableOf = (model: Model): string => printRuleset({ table: POLICY_TABLE, objects: model.nftObjects() });
const CHAIN = /NetworkPolicy\/n\/web ingress 0/;

test('a pod that is bound to the node has its chains before its ADD, which adds addresses alone', () => {
  const model = modelWith(bound);
  assert.match(tableOf(model), CHAIN);
  assert.ok(!tableOf(model).includes('10.244.0.1'));
  model.accept({ kind: 'attached', attachment });
  const changes = model.drainNft('bump-if-needed');
  assert.ok(changes.length > 0);
  assert.ok(
    changes.every(({ before, after }) => before === undefined && after?.kind === 'element'),
    JSON.stringify(changes),
  );
  assert.ok(tableOf(model).includes(`"${IF_NAME}" . 10.244.0.1`));
});

test('its DEL takes the addresses, and the end of its Pod the chains', () => {
  const model = modelWith(bound);
  const before = tableOf(model);
  model.accept({ kind: 'attached', attachment });
  model.drainNft('bump-if-needed');
  model.accept({ kind: 'detached', attachment });
  const changes = model.drainNft('bump-if-needed');
  assert.ok(
    changes.every(({ before: was, after }) => was?.kind === 'element' && after === undefined),
    JSON.stringify(changes),
  );
  assert.equal(tableOf(model), before);
  tell(model, bound, 'delete');
  model.drainNft('bump-if-needed');
  assert.equal(tableOf(model), tableOf(modelWith()));
});

test('a Pod that goes before its DEL leaves an endpoint that is closed', () => {
  const model = modelWith(bound);
  model.accept({ kind: 'attached', attachment });
  tell(model, bound, 'delete');
  model.drainNft('bump-if-needed');
  const alone = modelWith();
  alone.accept({ kind: 'attached', attachment });
  alone.drainNft('bump-if-needed');
  // The generation has been raised, since a pod lost its rules.
  const body = (model: Model): string => tableOf(model).replaceAll(/ct mark set .*|ct mark .*/g, '');
  assert.equal(body(model), body(alone));
  model.accept({ kind: 'detached', attachment });
  model.drainNft('bump-if-needed');
  assert.ok(!tableOf(model).includes(IF_NAME));
});

const others: readonly { readonly name: string; readonly given: Resource }[] = [
  { name: 'another node', given: podAs({ nodeName: 'two' }) },
  { name: 'no node yet', given: podAs({}) },
  { name: 'the host network', given: podAs({ nodeName: 'one', hostNetwork: true }) },
  { name: 'one that ended', given: podAs({ nodeName: 'one' }, { phase: 'Succeeded' }) },
];
for (const { name, given } of others) {
  test(`a pod of ${name} has no chains`, () => {
    assert.doesNotMatch(tableOf(modelWith(given)), CHAIN);
    const model = modelWith(bound);
    tell(model, given);
    model.drainNft('bump-if-needed');
    assert.equal(tableOf(model), tableOf(modelWith(given)));
  });
}

test('a name that a new pod has follows its uid and labels', () => {
  const model = modelWith(bound);
  tell(model, podAs({ nodeName: 'one' }, {}, { uid: 'u2', labels: { app: 'other' } }));
  model.drainNft('bump-if-needed');
  assert.doesNotMatch(tableOf(model), CHAIN);
});
