// Durations as Go prints them (`90s`, `1m30s`, `300ms`), within the bounds of the field that they stand in.
import { z } from 'zod';

const FACTOR_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds; `undefined` when the text is no duration. */
export function durationMs(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    sum += Number(number) * FACTOR_MS[unit as keyof typeof FACTOR_MS];
  }
  return sum;
}

/** A duration of whole seconds from `min` to `max` seconds; stays text. */
export const secondsSchema = (min: number, max: number) => bounded(min * 1000, max * 1000, 's');

/** A duration of whole milliseconds from `min` to `max` milliseconds; stays text. */
export const millisecondsSchema = (min: number, max: number) => bounded(min, max, 'ms');

function bounded(minMs: number, maxMs: number, unit: 's' | 'ms') {
  const step = FACTOR_MS[unit];
  const expected = `expected ${minMs / step}${unit} to ${maxMs / step}${unit} in whole ${unit === 's' ? 'seconds' : 'milliseconds'}`;
  return z.string().check((context) => {
    const ms = durationMs(context.value);
    if (ms !== undefined && ms >= minMs && ms <= maxMs && ms % step === 0) return;
    const message = `"${context.value}" is ${ms === undefined ? 'no duration' : 'out of range'}, ${expected}`;
    context.issues.push({ code: 'custom', message, input: context.value });
  });
}

/** Whole seconds of what a schema above let through. */
export const durationSeconds = (text: string | undefined): number | undefined => {
  const ms = text === undefined ? undefined : durationMs(text);
  return ms === undefined ? undefined : Math.floor(ms / 1000);
};
