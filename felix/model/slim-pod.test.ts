import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResource } from '../../datastore/resources/parse.ts';
import { unwrap } from '../../lib/result.ts';
import { convertPod } from '../../policy/convert/pod.ts';
import { slimPod } from './slim-pod.ts';

test('slimPod() keeps what policy reads, and drops the rest', () => {
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
  const slim = slimPod(pod);
  assert.deepEqual(convertPod(slim), convertPod(pod));
  assert.doesNotMatch(JSON.stringify(slim), /managedFields|volumes|env|conditions|last-applied|"b"/);
  assert.deepEqual(slimPod(slim), slim);
});
