import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostIfName } from '../../../lib/linux/if-name.ts';
import type { NftKey } from '../../../lib/nftables/ast.ts';
import { createPipeline } from '../../../test/policy/pipeline.ts';
import { policy, world } from '../../../test/policy/world-builder.ts';

const sorted = (keys: Iterable<NftKey>): readonly NftKey[] => [...keys].sort();

/** What is there although nothing may lead to it: the port of metrics is an element of `closed_ports` when there is one. */
const NOT_LED_TO: ReadonlySet<string> = new Set(['chain/closed_metrics', 'counter/d_metrics']);
const ledTo = (keys: Iterable<NftKey>): readonly NftKey[] => sorted(keys).filter((key) => !NOT_LED_TO.has(key));

test('explainHooks() is all that an empty node has but for the set of hairpins, and no more with pods', () => {
  const { show, renderer } = createPipeline();
  const empty = ledTo(renderer.objects().keys()).filter((key) => key !== 'set/hairpin');
  assert.deepEqual(empty, sorted(renderer.explainHooks()));
  assert.ok(renderer.explainHooks().includes('chain/fwd_ingress' as NftKey));
  show(world({ pods: { 'n/a': {}, 'n/b': {} }, policies: [policy('n/closed', {})] }));
  assert.deepEqual(empty, sorted(renderer.explainHooks()));
});

test('explainHooks() and explainEndpoint() of all pods are together all that a node has', () => {
  const { show, renderer } = createPipeline();
  show(world({ pods: { 'n/a': {}, 'n/b': {} }, policies: [policy('n/closed', {})] }));
  const endpoints = ['a', 'b'].flatMap((name) => renderer.explainEndpoint(hostIfName('n', name)));
  assert.deepEqual(sorted(new Set([...renderer.explainHooks(), ...endpoints])), ledTo(renderer.objects().keys()));
});
