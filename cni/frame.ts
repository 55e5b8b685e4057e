// What the CNI executable sends to the agent, and the answer. All numbers are big-endian.
//
//   request:  "MGY1"  6 x (length, bytes) of the variables below  (length, bytes) of standard input
//   answer:   exit code in one byte  (length, bytes) of standard output
//
// A length of 0xffffffff means that the variable is not set.

export const ENVIRONMENT = [
  'CNI_COMMAND',
  'CNI_CONTAINERID',
  'CNI_NETNS',
  'CNI_IFNAME',
  'CNI_ARGS',
  'CNI_PATH',
] as const;

export type CniEnvironment = { readonly [name in (typeof ENVIRONMENT)[number]]?: string };

/** One call of the executable. */
export type CniFrame = { readonly environment: CniEnvironment; readonly stdin: Uint8Array };

export type DecodedFrame =
  | { readonly kind: 'frame'; readonly frame: CniFrame }
  /** No more can be said before there are so many bytes in all. */
  | { readonly kind: 'incomplete'; readonly atLeast: number }
  | { readonly kind: 'invalid'; readonly why: string };

/** Limits that the executable keeps too. */
export const MAX_STDIN = 1 << 20;
export const MAX_VARIABLE = 1 << 16;

const MAGIC = 'MGY1';
const UNSET = 0xffffffff;

/** Never throws; a frame followed by more bytes is invalid. */
export function decodeFrame(bytes: Uint8Array): DecodedFrame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = new TextDecoder('latin1').decode(bytes.subarray(0, MAGIC.length));
  if (!MAGIC.startsWith(magic)) return { kind: 'invalid', why: 'it does not begin with MGY1' };
  let at = MAGIC.length;
  let atLeast = 0;
  const take = (limit: number): Uint8Array | 'unset' | 'incomplete' | 'too long' => {
    atLeast = at + 4;
    if (atLeast > bytes.length) return 'incomplete';
    const length = view.getUint32(at);
    if (length === UNSET) {
      at += 4;
      return 'unset';
    }
    if (length > limit) return 'too long';
    atLeast = at + 4 + length;
    if (atLeast > bytes.length) return 'incomplete';
    const part = bytes.subarray(at + 4, at + 4 + length);
    at += 4 + length;
    return part;
  };
  const environment: { [name in (typeof ENVIRONMENT)[number]]?: string } = {};
  for (const name of ENVIRONMENT) {
    const part = take(MAX_VARIABLE);
    if (part === 'unset') continue;
    if (part === 'incomplete') return { kind: 'incomplete', atLeast };
    if (part === 'too long') return { kind: 'invalid', why: `${name} has more than ${MAX_VARIABLE} bytes` };
    environment[name] = new TextDecoder().decode(part);
  }
  const stdin = take(MAX_STDIN);
  if (stdin === 'incomplete') return { kind: 'incomplete', atLeast };
  if (stdin === 'too long' || stdin === 'unset') {
    return { kind: 'invalid', why: `standard input has more than ${MAX_STDIN} bytes` };
  }
  if (at !== bytes.length) return { kind: 'invalid', why: `${bytes.length - at} bytes follow it` };
  return { kind: 'frame', frame: { environment, stdin } };
}

export function encodeFrame({ environment, stdin }: CniFrame): Uint8Array {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [encoder.encode(MAGIC)];
  for (const name of ENVIRONMENT) {
    const value = environment[name];
    if (value === undefined) parts.push(lengthBytes(UNSET));
    else {
      const bytes = encoder.encode(value);
      parts.push(lengthBytes(bytes.length), bytes);
    }
  }
  return join([...parts, lengthBytes(stdin.length), stdin]);
}

/** Exit code and standard output. */
export type CniAnswer = { readonly exitCode: number; readonly stdout: string };

export function encodeAnswer({ exitCode, stdout }: CniAnswer): Uint8Array {
  const bytes = new TextEncoder().encode(stdout);
  return join([Uint8Array.of(exitCode), lengthBytes(bytes.length), bytes]);
}

function lengthBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
