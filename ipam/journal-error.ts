// The one error of the node's journal.

export type JournalErrorCode =
  /** The file or its directory cannot be made, opened or moved. */
  | 'unwritable'
  /** Another process has it open. */
  | 'busy'
  /** A write was refused: disk full, input/output error, damage found. Nothing of it took effect. */
  | 'failed';

export class JournalError extends Error {
  override readonly name = 'JournalError';
  readonly code: JournalErrorCode;
  constructor(code: JournalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Text of whatever was thrown. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
