// How apply, get and delete tell about one failure among many: one line on stderr, exit code 1, and on they go.
import { StoreError } from '../datastore/store.ts';

/** Writes the line and sets the exit code; texts are used as they are, errors by their message. */
export function reportFailure(failure: unknown): void {
  process.exitCode = 1;
  if (typeof failure === 'string') console.error(failure);
  else console.error(`margay: ${failure instanceof Error ? failure.message : String(failure)}`);
}

/** kubectl's words for an object that is not there. */
export const notFound = (plural: string, name: string): string =>
  `Error from server (NotFound): ${plural} "${name}" not found`;

/** Whether a call failed with this code. */
export const failedWith = (error: unknown, code: StoreError['code']): boolean =>
  error instanceof StoreError && error.code === code;
