// The two questions to a CNI executable that need no container, asked as a runtime asks them: VERSION and STATUS.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { z } from 'zod';

const TIMEOUT_MS = 10_000;

/** CNI SPEC 1.1 §5 Version and Error. */
const versionSchema = z.looseObject({ supportedVersions: z.array(z.string()) });
const errorSchema = z.looseObject({ msg: z.string(), details: z.string().optional() });

/** @throws Error when it cannot be run, or answers something else */
export function supportedVersions(program: string): readonly string[] {
  const { status, stdout, failure } = ask(program, 'VERSION', { cniVersion: '1.0.0' });
  const answer = versionSchema.safeParse(jsonOf(stdout));
  if (status === 0 && answer.success) return answer.data.supportedVersions;
  const what = status === 0 ? 'its answer has no supportedVersions' : failure;
  throw new Error(`Cannot ask "${program}" for its versions: ${what}, expected a CNI plugin that this machine can run`);
}

/** Why no pod can be attached now; `undefined`: pods can. */
export function statusProblem(program: string, config: object): string | undefined {
  const { status, stdout, failure } = ask(program, 'STATUS', config);
  if (status === 0) return undefined;
  const answer = errorSchema.safeParse(jsonOf(stdout));
  if (!answer.success) return `the plugin tells no status: ${failure}`;
  const { msg, details = '' } = answer.data;
  return details === '' ? msg : `${msg}. ${details}`;
}

function ask(program: string, command: string, config: object) {
  const run = spawnSync(program, [], {
    env: { CNI_COMMAND: command, CNI_PATH: dirname(program) },
    input: JSON.stringify(config),
    stdio: ['pipe', 'pipe', 'ignore'],
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
  });
  // What never ran has no output.
  return { status: run.status, stdout: run.stdout ?? '', failure: failureOf(run) };
}

/** That it did not read its input is no failure by itself: many do not, for VERSION. */
function failureOf({ status, signal, error }: SpawnSyncReturns<string>): string {
  if (error !== undefined && 'code' in error && error.code === 'ETIMEDOUT') {
    return `it does not answer within ${TIMEOUT_MS / 1000} s`;
  }
  if (status !== null) return `it ended with exit code ${status}`;
  return signal === null ? String(error?.message) : `it ended with ${signal}`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema refuses it.
    return undefined;
  }
}
