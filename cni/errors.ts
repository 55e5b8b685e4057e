// Errors as the CNI specification has them: a number that the runtime acts on, a short message and what to do.

/** CNI SPEC 1.1 §5 Error. Those from 100 on are ours. */
export const CNI_CODE = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  io: 5,
  decode: 6,
  invalidConfig: 7,
  invalidNetns: 8,
  tryAgain: 11,
  unavailable: 50,
  limitedConnectivity: 51,
  alreadyAttached: 100,
  addressesExhausted: 101,
  noPool: 102,
  wiring: 103,
  notApplied: 104,
  different: 105,
  internal: 199,
} as const satisfies Record<string, number>;

export type CniCode = (typeof CNI_CODE)[keyof typeof CNI_CODE];

/** `message` is the sentence for people; `details` says what to do, or more of what happened. */
export class CniError extends Error {
  readonly code: CniCode;
  readonly details: string;

  constructor(code: CniCode, message: string, details = '') {
    super(message);
    this.name = 'CniError';
    this.code = code;
    this.details = details;
  }
}

/** The error object for standard output (CNI SPEC 1.1 §5). */
export function printError(error: CniError, cniVersion: string): string {
  const { code, message, details } = error;
  return `${JSON.stringify({ cniVersion, code, msg: message, ...(details === '' ? {} : { details }) })}\n`;
}
