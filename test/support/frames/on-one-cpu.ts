// Keeps the calling thread on one processor for a while. What it sends through veths then stands in the queue of that
// processor in the order in which it was sent, at every hop.
import koffi from 'koffi';
import { KernelError } from '../../../lib/linux/kernel-error.ts';

const self = koffi.load(null);
const sched_getcpu = self.func('int sched_getcpu()') as () => number;
const sched_getaffinity = self.func('int sched_getaffinity(int pid, size_t size, void *mask)') as Affinity;
const sched_setaffinity = self.func('int sched_setaffinity(int pid, size_t size, void *mask)') as Affinity;
type Affinity = (pid: number, size: number, mask: Buffer) => number;

const MASK_BYTES = 128;

/** Runs `fn` on the processor that the thread is on now. @throws KernelError; whatever `fn` throws */
export function onOneCpu<T>(fn: () => T): T {
  const before = Buffer.alloc(MASK_BYTES);
  if (sched_getaffinity(0, MASK_BYTES, before) < 0) throw new KernelError('read the affinity', koffi.errno());
  const cpu = sched_getcpu();
  const one = Buffer.alloc(MASK_BYTES);
  one.writeUInt8(1 << (cpu % 8), cpu >> 3);
  if (sched_setaffinity(0, MASK_BYTES, one) < 0) throw new KernelError('stay on a processor', koffi.errno());
  try {
    return fn();
  } finally {
    sched_setaffinity(0, MASK_BYTES, before);
  }
}
