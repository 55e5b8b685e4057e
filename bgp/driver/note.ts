// What we write into a peer's description in gobgpd: the text for people, and a hash of all that was applied. It comes
// back when peers are listed, so that a restarted agent knows what runs there, and never re-sends what is equal:
// gobgpd resets the session for an update that changes nothing (versions before 3.15).
import { createHash } from 'node:crypto';
import type { DesiredPeer } from '../model/types.ts';

const NOTE = /^(.*) #[0-9a-f]{16}$/s;

/**
 * The password is not in the hash: descriptions are shown and logged, and whoever reads one could try passwords against
 * it. gobgpd lists passwords in clear to whoever may use its socket, so they are compared themselves.
 */
export function noteOf({ password: _, ...peer }: DesiredPeer): string {
  return `${peer.description} #${shortHash(peer)}`;
}

/** The text for people; a description that is not ours as it is. */
export const descriptionOf = (note: string): string => NOTE.exec(note)?.[1] ?? note;

/** 16 hex digits over the JSON form; keys in any order give the same. */
export function shortHash(value: object): string {
  const sorted = (_: string, part: unknown): unknown =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part;
  return createHash('sha256').update(JSON.stringify(value, sorted)).digest('hex').slice(0, 16);
}
