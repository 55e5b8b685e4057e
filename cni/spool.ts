// DELs that no agent answered: there was none, it hung, or it had too many callers. The executable wrote each frame into a
// file and told the runtime that all is well, so they are carried out when the agent has begun to listen, once a minute,
// and before the same container is attached again: a container that is back must not be taken for the one that went.
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Log } from '../lib/log.ts';
import { CNI_CODE, CniError, printError } from './errors.ts';
import { type CniAnswer, type CniFrame, decodeFrame } from './frame.ts';
import type { CniHandler } from './handler.ts';
import { networkOf, versionForError } from './spec.ts';

/** Files done, and those kept for the next time. */
export type Replay = { readonly done: number; readonly kept: number };

export type Spool = {
  /** The handler given, with an ADD behind the DEL that is kept for its container. */
  readonly handle: CniHandler;
  /** To be called once the agent listens. Never rejects: what cannot be done is logged and kept. */
  readonly replay: () => Promise<Replay>;
  /** Replays again and again until `signal` aborts, and resolves then. */
  readonly keepReplaying: (signal: AbortSignal, everyMs?: number) => Promise<void>;
};

type Outcome =
  | { readonly kind: 'done' }
  /** It never will be carried out. */
  | { readonly kind: 'hopeless'; readonly why: string }
  | { readonly kind: 'failed'; readonly why: string };

const REPLAY_EVERY_MS = 60_000;
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

export function createSpool(directory: string, handle: CniHandler, log: Log): Spool {
  const carryOut = async (file: string): Promise<Outcome> => {
    const path = join(directory, file);
    try {
      const outcome = await replayFile(path, handle);
      if (outcome.kind === 'failed') log.warn({ file, why: outcome.why }, 'spooled DEL kept for the next time');
      else rmSync(path, { force: true });
      if (outcome.kind === 'hopeless') log.warn({ file, why: outcome.why }, 'spooled DEL dropped');
      return outcome;
    } catch (error) {
      log.warn({ err: error, file }, 'spooled DEL kept for the next time');
      return { kind: 'failed', why: error instanceof Error ? error.message : String(error) };
    }
  };

  const replayAll = async (signal?: AbortSignal): Promise<Replay> => {
    let [done, kept] = [0, 0];
    for (const file of filesOf(directory)) {
      if (signal?.aborted === true) break;
      if (file.startsWith('.')) sweep(join(directory, file), log);
      else if ((await carryOut(file)).kind === 'failed') kept++;
      else done++;
    }
    return { done, kept };
  };

  // An agent that was always there has an empty folder, and nothing of the call has to be read to know that.
  const keptFor = (frame: CniFrame): readonly string[] => {
    const { CNI_COMMAND, CNI_CONTAINERID = '', CNI_IFNAME = '' } = frame.environment;
    // What is longer is no attachment, and would take its time.
    if (CNI_COMMAND !== 'ADD' || CNI_CONTAINERID.length > 128 || CNI_IFNAME.length > 15) return [];
    const kept = filesOf(directory);
    if (kept.length === 0) return [];
    return spoolNames(CNI_CONTAINERID, CNI_IFNAME, networkOf(frame.stdin)).filter((file) => kept.includes(file));
  };

  return {
    handle: async (frame, signal) => {
      for (const file of keptFor(frame)) {
        const outcome = await carryOut(file);
        if (outcome.kind === 'failed') return refusal(frame, outcome.why);
      }
      return await handle(frame, signal);
    },
    replay: () => replayAll(),
    keepReplaying: async (signal, everyMs = REPLAY_EVERY_MS) => {
      while (!signal.aborted) {
        // The end of the agent is no error.
        await delay(everyMs, undefined, { signal }).catch(() => undefined);
        await replayAll(signal);
      }
    },
  };
}

function refusal({ environment, stdin }: CniFrame, why: string): CniAnswer {
  const error = new CniError(
    CNI_CODE.tryAgain,
    `Cannot attach container "${environment.CNI_CONTAINERID}": an earlier DEL of it failed, expected it to be gone`,
    why,
  );
  return { exitCode: 1, stdout: printError(error, versionForError(stdin)) };
}

// Earlier executables named no network, and today's does not where it finds no name.
const spoolNames = (containerId: string, ifName: string, network: string): readonly string[] =>
  network === ''
    ? [spoolName(containerId, ifName)]
    : [spoolName(containerId, ifName, network), spoolName(containerId, ifName)];

/**
 * The file of an attachment, as the executable names it: FNV-1a of 64 bits, twice, over the texts with their closing NUL.
 */
export function spoolName(containerId: string, ifName: string, network = ''): string {
  const last = network === '' ? [] : [network];
  const first = [containerId, ifName, ...last].reduce(hash, FNV_OFFSET);
  const second = [ifName, containerId, ...last].reduce(hash, BigInt.asUintN(64, ~first));
  return [first, second].map((half) => half.toString(16).padStart(16, '0')).join('');
}

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

const hash = (start: bigint, text: string): bigint =>
  Buffer.from(`${text}\0`).reduce((h, byte) => BigInt.asUintN(64, (h ^ BigInt(byte)) * FNV_PRIME), start);

// Read and handed over in one turn of the event loop: an ADD that finds the file gone is behind this DEL in the queue of
// its container, and never before it.
async function replayFile(path: string, handle: CniHandler): Promise<Outcome> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  // The executable found somebody after all, and took it away.
  if (stat === undefined) return { kind: 'done' };
  // Reading a FIFO would wait for a writer, and all else with it.
  if (!stat.isFile()) return { kind: 'hopeless', why: 'it is not a file' };
  if (stat.size > MAX_FILE) return { kind: 'hopeless', why: `it has ${stat.size} bytes` };
  const decoded = decodeFrame(readFileSync(path));
  if (decoded.kind !== 'frame') {
    return { kind: 'hopeless', why: decoded.kind === 'invalid' ? decoded.why : 'it is cut off' };
  }
  if (decoded.frame.environment.CNI_COMMAND !== 'DEL') return { kind: 'hopeless', why: 'it is not a DEL' };
  const { exitCode, stdout } = await handle(decoded.frame);
  if (exitCode === 0) return { kind: 'done' };
  const { code, msg } = errorSchema.parse(JSON.parse(stdout));
  return { kind: HOPELESS.includes(code) ? 'hopeless' : 'failed', why: msg };
}

const errorSchema = z.looseObject({ code: z.number(), msg: z.string() });

function sweep(path: string, log: Log): void {
  try {
    const written = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
    if (written !== undefined && Date.now() - written > UNFINISHED_MS) rmSync(path, { force: true });
  } catch (error) {
    log.warn({ err: error, path }, 'unfinished DEL cannot be swept');
  }
}

function filesOf(directory: string): readonly string[] {
  // The executable makes the folder when it first needs it, and asking costs less than an error.
  if (!existsSync(directory)) return [];
  try {
    return readdirSync(directory).sort();
  } catch {
    // Nothing that is in there can be carried out.
    return [];
  }
}
