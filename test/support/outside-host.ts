// A host beyond a node of a test: it reaches the node's own address, as the users of a host port do.
import type { TestContext } from 'node:test';
import { type TestNetns, testNetns } from './netns.ts';

/** 203.0.113.9, on a segment where the node has 203.0.113.1. */
export async function outsideHost(t: TestContext, node: TestNetns): Promise<TestNetns> {
  const outside = await testNetns(t, 'outside');
  await outside.exec('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'towards', 'netns', node.name);
  for (const [netns, link, address] of [
    [outside, 'eth0', '203.0.113.9/24'],
    [node, 'towards', '203.0.113.1/24'],
  ] as const) {
    await netns.exec('ip', 'addr', 'add', address, 'dev', link);
    await netns.exec('ip', 'link', 'set', link, 'up');
  }
  return outside;
}

/** A program that prints what a server answers for `/name`; it fails after two seconds. */
export const getOverHttp = (ip: string, port: number): readonly [string, ...string[]] => [
  'timeout',
  '2',
  'bash',
  '-c',
  `exec 3<>/dev/tcp/${ip}/${port}; printf 'GET /name HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3 | tail -1`,
];
