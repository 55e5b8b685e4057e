// What originates here: listed, compared, withdrawn and advertised.
import type { Cidr } from '../../lib/cidr.ts';
import type { DesiredBgp } from '../model/types.ts';
import type { ApplyReport, ApplyRun } from './apply.ts';
import type { Codec, PathToWrite } from './codec.ts';
import { inChunks } from './in-chunks.ts';
import { changedPaths, planPaths } from './plan.ts';
import { readPaths } from './read-paths.ts';
import { BgpError } from './rpc.ts';

/** From this number on, paths go as one stream, three times as fast as single calls. */
const STREAM_FROM = 100;
const PATHS_PER_MESSAGE = 500;

/** The paths that were wanted last; `undefined` when that is not known. Only brings changes out sooner. */
export type PathMemory = { last: DesiredBgp['paths'] | undefined };

/** `again`: withdrawn and advertised anew. */
export async function applyPaths(run: ApplyRun, again: ReadonlySet<Cidr>): Promise<ApplyReport['paths']> {
  const { rpc, codec, desired, attempt, signal } = run;
  const early = await applyChanges(run);
  const rib = await readPaths({ rpc, codec }, { ownAsn: desired.global.asn, signal });
  const plan = planPaths(rib, desired.paths, again);
  const write = (verb: 'advertise' | 'withdraw', call: Codec['addPath'], paths: readonly PathToWrite[]) =>
    inChunks(paths, (path) => attempt(`Cannot ${verb} "${path.prefix}"`, () => rpc.unary(call, path, signal)));
  const removed = early.removed + (await write('withdraw', codec.deletePath, plan.remove));
  const streamed = plan.add.length >= STREAM_FROM && (await stream(run, plan.add));
  const added = early.added + (streamed ? plan.add.length : await write('advertise', codec.addPath, plan.add));
  run.pathMemory.last = desired.paths;
  return { added, removed };
}

// Listing a table of thousands takes longer than a new block should need to be known. What the last state did not have
// goes out before it; the comparison that follows finds whatever else is wrong.
async function applyChanges({ rpc, codec, desired, pathMemory, signal }: ApplyRun): Promise<ApplyReport['paths']> {
  const { last } = pathMemory;
  pathMemory.last = undefined;
  const changes = last === undefined ? { add: [], remove: [] } : changedPaths(last, desired.paths);
  if (changes.add.length + changes.remove.length >= STREAM_FROM) return { added: 0, removed: 0 };
  const write = (call: Codec['addPath'], paths: readonly PathToWrite[]) =>
    inChunks(paths, async (path) => {
      try {
        await rpc.unary(call, path, signal);
        return true;
      } catch (error) {
        // The comparison tries again and reports it.
        if (error instanceof BgpError && error.code !== 'unreachable') return false;
        throw error;
      }
    });
  return { removed: await write(codec.deletePath, changes.remove), added: await write(codec.addPath, changes.add) };
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
