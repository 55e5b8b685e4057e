// A value or the reason why there is none, for parsers of user text: bad input is an answer, not an exception.

/** Outcome of a parser. `error` is a sentence in the project's error grammar. */
export type Result<T, E = string> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

export const ok = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value });

export const err = <E>(error: E): { readonly ok: false; readonly error: E } => ({ ok: false, error });

/**
 * The value of a result whose failure would be a bug here (constants, text that was parsed before).
 * @throws Error with the parser's sentence
 */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(result.error);
}
