// The kernel's refusal of a batch: nothing of it was done.
import { KernelError } from '../linux/kernel-error.ts';
import { describeOp, type NftOp } from './ops.ts';

/** `op` is the first refused operation; absent when the kernel refused the batch as a whole, at its commit. */
export class NftError extends KernelError {
  readonly nftOp: NftOp | undefined;

  constructor(errno: number, nftOp: NftOp | undefined, detail?: string) {
    super(nftOp === undefined ? 'commit a batch of nftables changes' : describeOp(nftOp), errno, detail);
    this.name = 'NftError';
    this.nftOp = nftOp;
  }
}
