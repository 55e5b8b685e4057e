// Which API a running gobgpd speaks. No call tells the version, but the service of the other generation is unknown to it.
import type { Codec } from './codec.ts';
import { BgpError, type Rpc } from './rpc.ts';
import { v3 } from './v3/codec.ts';
import { v4 } from './v4/codec.ts';

/** @throws BgpError, or the signal's reason */
export async function whichGeneration(rpc: Rpc, signal?: AbortSignal): Promise<Codec> {
  try {
    await rpc.unary(v4.getBgp, undefined, signal);
    return v4;
  } catch (error) {
    if (!(error instanceof BgpError) || error.code !== 'unimplemented') throw error;
  }
  await rpc.unary(v3.getBgp, undefined, signal);
  return v3;
}
