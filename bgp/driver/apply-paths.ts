// What originates here: listed, compared, withdrawn and advertised.
import type { Cidr } from '../../lib/cidr.ts';
import type { ApplyReport, ApplyRun } from './apply.ts';
import type { Codec, PathToWrite } from './codec.ts';
import { inChunks } from './in-chunks.ts';
import { planPaths } from './plan.ts';
import { readPaths } from './read-paths.ts';
import { BgpError } from './rpc.ts';

/** From this number on, paths go as one stream, three times as fast as single calls. */
const STREAM_FROM = 100;
const PATHS_PER_MESSAGE = 500;

/** `again`: withdrawn and advertised anew. */
export async function applyPaths(run: ApplyRun, again: ReadonlySet<Cidr>): Promise<ApplyReport['paths']> {
  const { rpc, codec, desired, attempt, signal } = run;
  const rib = await readPaths({ rpc, codec }, { ownAsn: desired.global.asn, signal });
  const plan = planPaths(rib, desired.paths, again);
  const write = (verb: 'advertise' | 'withdraw', call: Codec['addPath'], paths: readonly PathToWrite[]) =>
    inChunks(paths, (path) => attempt(`Cannot ${verb} "${path.prefix}"`, () => rpc.unary(call, path, signal)));
  const removed = await write('withdraw', codec.deletePath, plan.remove);
  if (plan.add.length >= STREAM_FROM && (await stream(run, plan.add))) return { added: plan.add.length, removed };
  return { added: await write('advertise', codec.addPath, plan.add), removed };
}

/** `false`: gobgpd refused some path and did not take those after it; single calls will tell which. */
async function stream({ rpc, codec, signal }: ApplyRun, paths: readonly PathToWrite[]): Promise<boolean> {
  const messages = Array.from({ length: Math.ceil(paths.length / PATHS_PER_MESSAGE) }, (_, index) =>
    paths.slice(index * PATHS_PER_MESSAGE, (index + 1) * PATHS_PER_MESSAGE),
  );
  try {
    await rpc.upload(codec.addPaths, messages, signal);
    return true;
  } catch (error) {
    if (error instanceof BgpError && error.code !== 'unreachable') return false;
    throw error;
  }
}
