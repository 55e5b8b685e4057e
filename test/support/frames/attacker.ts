// A pod with a packet socket: sends whatever frames, and tells what another pod got to see of them. After the frames of a
// volley one more is sent that everybody lets pass, by the same processor and so through the same queues; once that one
// is there, what has not arrived has been dropped.
import type { TestContext } from 'node:test';
import { inNetns } from '../../../lib/linux/netns.ts';
import { waitFor } from '../../../lib/wait-for.ts';
import { onOneCpu } from './on-one-cpu.ts';
import { openPacketSocket, type PacketSocket } from './packet-socket.ts';

export type Ear = {
  /** Every frame since the last call. */
  readonly heard: () => readonly Buffer[];
  readonly socket: PacketSocket;
};

/** On `eth0` of the namespace; closed after `t`. @throws KernelError */
export function listenIn(t: TestContext, netnsPath: string): Ear {
  const socket = inNetns(netnsPath, () => openPacketSocket('eth0'));
  t.after(socket.close);
  const heard = (): readonly Buffer[] => {
    const frames: Buffer[] = [];
    for (let frame = socket.receive(); frame !== undefined; frame = socket.receive()) frames.push(Buffer.from(frame));
    return frames;
  };
  return { heard, socket };
}

/**
 * Sends the frames, then `mark`, and returns what each ear heard until the first of them heard the mark.
 * @throws Error when the mark does not come within 20 s
 */
export async function volley(
  from: PacketSocket,
  frames: readonly Buffer[],
  { mark, ears }: { readonly mark: Buffer; readonly ears: readonly [Ear, ...Ear[]] },
): Promise<readonly (readonly Buffer[])[]> {
  const heard = ears.map((): Buffer[] => []);
  for (const ear of ears) ear.heard();
  onOneCpu(() => {
    for (const frame of [...frames, mark]) from.send(frame);
  });
  const payload = mark.subarray(14 + 20 + 8);
  const listen = (): boolean => {
    for (const [index, ear] of ears.entries()) heard[index]?.push(...ear.heard());
    return heard[0]?.some((frame) => frame.includes(payload)) === true;
  };
  await waitFor('the mark of a volley', listen, { timeoutMs: 20_000, everyMs: 2 });
  // The mark may have been read before what had come to an ear that stands later in the list.
  listen();
  return heard;
}
