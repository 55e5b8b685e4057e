// Which node a pod gets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pod, podSchema } from '../../datastore/resources/pod.ts';
import { chooseNode } from './schedule.ts';

const rows = [
  { name: 'no nodes', nodes: [], on: [], expected: undefined },
  { name: 'the first of equals', nodes: ['node1', 'node2'], on: [], expected: 'node1' },
  { name: 'the emptiest', nodes: ['node1', 'node2', 'node3'], on: ['node1', 'node3', 'node1'], expected: 'node2' },
  { name: 'pods on unknown nodes do not count', nodes: ['node1'], on: ['gone', undefined], expected: 'node1' },
];

for (const { name, nodes, on, expected } of rows) {
  test(`chooseNode() ${name}`, () => assert.equal(chooseNode(nodes, on.map(podOn)), expected));
}

function podOn(nodeName: string | undefined, index: number): Pod {
  return podSchema.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod${index}` },
    spec: nodeName === undefined ? {} : { nodeName },
  });
}
