// Spoilt input for the CNI executable and the agent's socket, from a seed: the same seed gives the same input.
import { encodeFrame } from '../../cni/frame.ts';

export type Random = { readonly below: (limit: number) => number; readonly bytes: (length: number) => Buffer };

/** mulberry32, a generator of 32 bits of state. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  };
  const below = (limit: number): number => next() % limit;
  return { below, bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))) };
}

/** What parsers of strings, numbers and structure stumble over. */
const TOKENS = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\0',
  '\n',
  '../',
  '"cniVersion"',
  '"agentSocket":',
  '1e999',
  '-0',
];
const MORE = ['\\u0000', '\ud800', 'null', '"__proto__":', '\x7f', '%s%n', "';--", '[[[[[[[[', '\xff\xfe', ' '];

/** The text with some of its bytes flipped, cut out, doubled, or replaced by nasty ones. */
export function mutate(given: Buffer, random: Random): Buffer {
  let bytes = given;
  for (let n = 1 + random.below(4); n > 0; n--) {
    const at = random.below(bytes.length + 1);
    const to = Math.min(bytes.length, at + random.below(12));
    const put = (middle: Buffer, end = to): Buffer =>
      Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(end)]);
    const kinds = [
      () => put(random.bytes(1), at + 1),
      () => put(Buffer.alloc(0)),
      () => put(Buffer.concat([bytes.subarray(at, to), bytes.subarray(at, to)])),
      () => put(Buffer.from(pick([...TOKENS, ...MORE], random)), at),
      () => bytes.subarray(0, at),
      () => put(Buffer.alloc(random.below(3000), pick(TOKENS, random)), at),
    ];
    bytes = pick(kinds, random)();
  }
  return bytes;
}

/** A frame whose bytes are spoilt: wrong magic, wrong lengths, cut off, followed by more, or plain noise. */
export function spoiltFrame(random: Random): Buffer {
  const environment = {
    CNI_COMMAND: pick(['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', '', 'X'], random),
    CNI_IFNAME: 'eth0',
  };
  const frame = Buffer.from(encodeFrame({ environment, stdin: random.bytes(random.below(200)) }));
  const kinds = [
    () => random.bytes(random.below(400)),
    () => mutate(frame, random),
    () => frame.subarray(0, random.below(frame.length)),
    () => Buffer.concat([frame, random.bytes(1 + random.below(20))]),
    () => {
      // Lengths are where a reader trusts the sender.
      const spoilt = Buffer.from(frame);
      spoilt.writeUInt32BE(pick([0, 1, 0x7fffffff, 0xfffffffe, 0xffffffff, 65537, 1 << 20], random), 4);
      return spoilt;
    },
  ];
  return pick(kinds, random)();
}

export const pick = <T>(items: readonly T[], random: Random): T => {
  const item = items[random.below(items.length)];
  if (item === undefined) throw new Error('Cannot pick from an empty list');
  return item;
};
