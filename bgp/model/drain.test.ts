import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeObject } from '../../test/support/bgp-world.ts';
import { drainOf } from './drain.ts';

const plain = nodeObject('n1', '198.51.100.1');
const asked = (wish: string) => nodeObject('n1', '198.51.100.1', { 'margay.dev/drain': wish });
const tainted = (taints: unknown) => ({ ...plain, spec: { taints } });

test('drainOf() reads annotation and taints', () => {
  const rows = [
    { name: 'no Node', node: undefined, drain: undefined },
    { name: 'nothing said', node: plain, drain: undefined },
    { name: 'announced', node: asked('announced'), drain: 'announced' },
    { name: 'withdrawn', node: asked('withdrawn'), drain: 'withdrawn' },
    { name: 'our taint', node: tainted([{ key: 'margay.dev/drain', effect: 'NoSchedule' }]), drain: 'announced' },
    {
      name: "Kubernetes' taint",
      node: tainted([{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }]),
      drain: 'announced',
    },
    { name: 'cordoned', node: tainted([{ key: 'node.kubernetes.io/unschedulable' }]), drain: undefined },
    { name: 'no list of taints', node: tainted('margay.dev/drain'), drain: undefined },
    { name: 'a taint that is none', node: tainted([null, 'x']), drain: undefined },
  ];
  for (const { name, node, drain } of rows) assert.deepEqual(drainOf(node), { drain, problems: [] }, name);
});

test('drainOf() drains, and says why, by an annotation that it cannot read', () => {
  const { drain, problems } = drainOf(asked('yes'));
  assert.equal(drain, 'announced');
  assert.match(problems.join(), /"yes", expected "announced" or "withdrawn"/);
});
