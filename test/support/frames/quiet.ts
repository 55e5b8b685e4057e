// Keeps a pod's own kernel from answering the frames of tests: an answer would be one more packet, and it says nothing
// about policy. Frames that a packet socket sends do not pass here, and those that arrive have been seen before.
import type { TestNetns } from '../netns.ts';

/** Lets only neighbour discovery out; ARP is not IP. */
export async function quiet({ exec }: TestNetns): Promise<void> {
  const discovery = 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept';
  const hook = 'type filter hook output priority 0; policy drop;';
  await exec('nft', `table inet quiet { chain out { ${hook} ${discovery}; }; }`);
}
