// What a change costs, counted: one more pod of a known kind is a few elements, however many policies there are. Times
// are printed, not judged.
import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import { FIRST_GENERATION } from '../../felix/render/policy/generation.ts';
import { createPolicyRenderer } from '../../felix/render/policy/policy-renderer.ts';
import { ipFromBigInt } from '../../lib/ip.ts';
import { hostIfName } from '../../lib/linux/if-name.ts';
import type { NftChange } from '../../lib/nftables/ast.ts';
import { convertNetworkPolicy } from '../../policy/convert/network-policy.ts';
import { createPolicyModel } from '../../policy/model/policy-model.ts';
import { type PodFacts, podKey } from '../../policy/world.ts';
import { policy } from './world-builder.ts';

const KINDS = 2000;
const LOCAL = 100;
const REPEATS = 200;

const podOf = (kind: number, replica: number): PodFacts => ({
  namespace: 'shop',
  name: `pod-${kind}-${replica}`,
  labels: { app: `app-${kind}` },
  ips: [ipFromBigInt(0x0a_f4_00_00n + BigInt(kind + KINDS * replica), 4)],
  ports: [],
  hostNetwork: false,
  finished: false,
});

test(`one more pod among ${KINDS} policies and ${KINDS} sets is a few elements`, (t) => {
  const model = createPolicyModel();
  const renderer = createPolicyRenderer({ generation: FIRST_GENERATION });
  const show = (pod: PodFacts, where: 'here' | 'elsewhere', what: 'there' | 'gone'): readonly NftChange[] => {
    const { namespace, name, ips } = pod;
    model.setPod(podKey(namespace, name), what === 'there' ? pod : undefined);
    if (where === 'here') {
      model.setEndpoint(hostIfName(namespace, name), what === 'there' ? { namespace, pod: name, ips } : undefined);
    }
    return renderer.apply(model.drain());
  };

  const began = performance.now();
  model.setNamespace('shop', {});
  for (let kind = 0; kind < KINDS; kind++) {
    const one = convertNetworkPolicy(
      policy(`shop/policy-${kind}`, {
        podSelector: { matchLabels: { app: `app-${kind % LOCAL}` } },
        ingress: [{ from: [{ podSelector: { matchLabels: { app: `app-${kind}` } } }], ports: [{ port: 80 }] }],
      }),
    );
    model.setPolicy(one.key, one);
    const pod = podOf(kind, 0);
    model.setPod(podKey(pod.namespace, pod.name), pod);
    if (kind < LOCAL) {
      model.setEndpoint(hostIfName(pod.namespace, pod.name), { namespace: 'shop', pod: pod.name, ips: pod.ips });
    }
  }
  renderer.apply(model.drain());
  t.diagnostic(`from nothing: ${(performance.now() - began).toFixed(0)} ms, ${renderer.objects().size} objects`);

  for (const [where, count] of [
    ['elsewhere', 1],
    ['here', 5],
  ] as const) {
    const times: number[] = [];
    for (let repeat = 1; repeat <= REPEATS; repeat++) {
      const pod = podOf(repeat % LOCAL, repeat);
      const start = performance.now();
      const changes = show(pod, where, 'there');
      times.push(performance.now() - start);
      assert.deepEqual(new Set(changes.map(({ after }) => after?.kind)), new Set(['element']));
      assert.equal(changes.length, count);
      assert.equal(show(pod, where, 'gone').length, count);
    }
    times.sort((a, b) => a - b);
    const at = (share: number): string => ((times[Math.floor(times.length * share)] ?? 0) * 1000).toFixed(0);
    t.diagnostic(`a pod ${where}: ${count} elements, p50 ${at(0.5)} µs, p99 ${at(0.99)} µs`);
  }
  assert.equal(renderer.generation(), FIRST_GENERATION, 'pods that come and go revoke nothing');
});
