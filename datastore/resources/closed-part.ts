// The pieces that closed readings of policies are made of: one part read by its own schema, and what stands for a part
// that cannot be read.
import type { z } from 'zod';
import { err, ok, type Result } from '../../lib/result.ts';
import { formatIssues } from './format-issues.ts';

/**
 * Field of a peer or port that stands for what cannot be read; its value says why. To whoever does not know the field
 * it is a peer of a kind that does not exist, which matches nothing.
 */
export const UNREADABLE = 'margay.dev/unreadable';

/** A peer that matches nothing; `why` is a sentence's end. */
export const unreadablePeer = (why: string): { readonly [UNREADABLE]: string } => ({ [UNREADABLE]: why });

/** Why a peer matches nothing, if it stands for what cannot be read. */
export function whyUnreadable(peer: { readonly [field: string]: unknown }): string | undefined {
  const why = peer[UNREADABLE];
  return typeof why === 'string' ? why : undefined;
}

/** Reads a part of an object. The error says `where` it is wrong, and how. */
export function readPart<T>(schema: z.ZodType<T>, value: unknown, where: string): Result<T> {
  const parsed = schema.safeParse(value);
  return parsed.success ? ok(parsed.data) : err(formatIssues(parsed.error.issues, value, where));
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
