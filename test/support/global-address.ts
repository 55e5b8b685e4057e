// The IPv6 address of a pod, as its own kernel has it.
import assert from 'node:assert/strict';
import type { TestPod } from './agent-node.ts';

/** The one global address of `eth0`. @throws AssertionError when it is tentative, or none is there */
export async function globalAddress({ netns }: Pick<TestPod, 'netns'>): Promise<string> {
  const text = await netns.exec('ip', '-6', '-j', 'addr', 'show', 'dev', 'eth0', 'scope', 'global');
  const links: readonly { addr_info?: readonly { local: string; tentative?: true }[] }[] = JSON.parse(text);
  const [address] = links.flatMap(({ addr_info }) => addr_info ?? []);
  assert.ok(address !== undefined && address.tentative === undefined, text);
  return address.local;
}
