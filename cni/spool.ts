// DELs that came while no agent was there. The executable wrote each frame into a file; the agent carries them out after
// it has begun to listen, so that none falls between.
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Log } from '../lib/log.ts';
import { CNI_CODE } from './errors.ts';
import { decodeFrame } from './frame.ts';
import type { CniHandler } from './handler.ts';

/** Files done, and those kept for the next time. */
export type Replay = { readonly done: number; readonly kept: number };

/** Unfinished files of a killed executable are older than this, in milliseconds. */
const UNFINISHED_MS = 5 * 60_000;
const MAX_FILE = 2 << 20;
/** A DEL that failed for one of these will not succeed another time. */
const HOPELESS: readonly number[] = [
  CNI_CODE.incompatibleVersion,
  CNI_CODE.invalidEnvironment,
  CNI_CODE.decode,
  CNI_CODE.invalidConfig,
];

/** To be called once the agent listens. Never rejects: what cannot be done is logged and kept. */
export async function replaySpool(directory: string, handle: CniHandler, log: Log): Promise<Replay> {
  let [done, kept] = [0, 0];
  for (const name of await filesOf(directory)) {
    const path = join(directory, name);
    try {
      if (name.startsWith('.')) {
        if (Date.now() - (await stat(path)).mtimeMs > UNFINISHED_MS) await rm(path, { force: true });
        continue;
      }
      const why = await replay(path, handle);
      if (why !== undefined) log.warn({ file: name, why }, 'spooled DEL dropped');
      await rm(path, { force: true });
      done++;
    } catch (error) {
      kept++;
      log.warn({ err: error, file: name }, 'spooled DEL kept for the next start');
    }
  }
  return { done, kept };
}

// `undefined`: carried out; else why it never will be.
async function replay(path: string, handle: CniHandler): Promise<string | undefined> {
  const { size } = await stat(path);
  if (size > MAX_FILE) return `it has ${size} bytes`;
  const decoded = decodeFrame(await readFile(path));
  if (decoded.kind !== 'frame') return decoded.kind === 'invalid' ? decoded.why : 'it is cut off';
  if (decoded.frame.environment.CNI_COMMAND !== 'DEL') return 'it is not a DEL';
  const { exitCode, stdout } = await handle(decoded.frame);
  if (exitCode === 0) return undefined;
  const { code, msg } = errorSchema.parse(JSON.parse(stdout));
  if (HOPELESS.includes(code)) return msg;
  throw new Error(msg);
}

const errorSchema = z.looseObject({ code: z.number(), msg: z.string() });

async function filesOf(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch {
    // The executable makes the folder when it first needs it.
    return [];
  }
}
