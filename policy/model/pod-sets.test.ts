import assert from 'node:assert/strict';
import { test } from 'node:test';
import { world } from '../../test/policy/world-builder.ts';
import { selectorOf } from '../selector.ts';
import { type PodFacts, podKey } from '../world.ts';
import { createPodIndex } from './pod-index.ts';
import { createPodSets } from './pod-sets.ts';
import { setKeyOf } from './set-ref.ts';

test('createPodSets() fills a second set of a scope with the pods that are in the scope now', () => {
  const index = createPodIndex();
  const sets = createPodSets(index, (_pod, facts) => facts.ips);
  const [pod] = world({
    pods: { 'n/a': { labels: { app: 'web' }, ips: ['10.244.0.1'], ports: ['http=tcp/80'] } },
  }).pods;
  if (pod === undefined) throw new Error('Cannot happen');
  const show = (facts: PodFacts): void => {
    const record = index.pod(podKey('n', 'a')) ?? index.addPod(podKey('n', 'a'), 'n');
    index.setFacts(record, facts);
    sets.refresh(record);
  };
  const scope = (app: string) => ({
    namespaces: { kind: 'name', name: 'n' } as const,
    pods: selectorOf({ matchLabels: { app } }),
  });
  const addresses = { kind: 'addresses', scope: scope('web') } as const;
  const others = { kind: 'addresses', scope: scope('db') } as const;
  const ports = { kind: 'ports', scope: scope('web'), name: 'http' } as const;

  show(pod);
  sets.open(setKeyOf(addresses), addresses);
  sets.open(setKeyOf(others), others);
  assert.deepEqual(
    sets.drain().map(({ added }) => added),
    [['10.244.0.1'], []],
  );
  show({ ...pod, labels: { app: 'db' } });
  sets.open(setKeyOf(ports), ports);
  assert.deepEqual(
    sets.drain().map(({ key, added, removed }) => ({ key, added, removed })),
    [
      { key: setKeyOf(others), added: ['10.244.0.1'], removed: [] },
      { key: setKeyOf(addresses), added: [], removed: ['10.244.0.1'] },
      { key: setKeyOf(ports), added: [], removed: [] },
    ],
  );
});
