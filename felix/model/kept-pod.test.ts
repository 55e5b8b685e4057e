import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResource } from '../../datastore/resources/parse.ts';
import type { Pod } from '../../datastore/resources/pod.ts';
import { unwrap } from '../../lib/result.ts';
import { convertPod } from '../../policy/convert/pod.ts';
import { keepPod, podOf } from './kept-pod.ts';

const given = (): Pod => {
  const pod = unwrap(
    parseResource({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        namespace: 'shop',
        name: 'web',
        uid: 'u1',
        labels: { app: 'web' },
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', 'kubernetes.io/config.mirror': 'm1' },
        managedFields: [{ manager: 'kubelet' }],
      },
      spec: {
        nodeName: 'node1',
        hostNetwork: false,
        volumes: [{ name: 'data' }],
        containers: [
          { name: 'a', image: 'a', env: [{ name: 'X' }], ports: [{ name: 'http', containerPort: 80 }] },
          { name: 'b', image: 'b' },
        ],
        initContainers: [{ name: 'c', ports: [{ name: 'dns', containerPort: 53, protocol: 'UDP' }] }],
      },
      status: {
        phase: 'Running',
        podIP: '10.244.1.2',
        podIPs: [{ ip: '10.244.1.2' }],
        conditions: [{ type: 'Ready' }],
      },
    }),
  );
  assert.ok(pod.kind === 'Pod');
  return pod;
};

test('keepPod() keeps what policy reads, and drops the rest', () => {
  const pod = given();
  const kept = keepPod(pod, 'node1');
  assert.deepEqual(kept.facts, convertPod(pod));
  assert.doesNotMatch(JSON.stringify(kept), /managedFields|volumes|env|conditions|last-applied|"b"/);
});

test('podOf() makes a Pod of the same facts', () => {
  const kept = keepPod(given(), 'node1');
  assert.deepEqual(keepPod(podOf(kept), 'node1'), kept);
  const finished = keepPod({ ...given(), status: { phase: 'Failed' } }, 'node1');
  assert.deepEqual(keepPod(podOf(finished), 'node1'), finished);
});

test('keepPod() keeps annotations for CNI, which asks for those of pods that are here or not placed yet', () => {
  const { spec, ...rest } = given();
  const { nodeName: _, ...unplaced } = spec;
  const annotations = { 'kubernetes.io/config.mirror': 'm1' };
  assert.deepEqual(keepPod({ ...rest, spec }, 'node1').annotations, annotations);
  assert.deepEqual(keepPod({ ...rest, spec: unplaced }, 'node1').annotations, annotations);
  assert.equal(keepPod({ ...rest, spec }, 'node2').annotations, undefined);
});
