// The policies of a speaker of which nothing else is wanted.
import type { DesiredPolicies } from './route-policy.ts';

/**
 * Everything comes in: the kernel's routes are protected by the import rules, not by the speaker. Only what originates
 * here goes out, to whichever peer: in a full mesh everybody hears the owner of a route itself, and a router above that
 * heard one block from every node would send its packets to any of them.
 */
export const DEFAULT_POLICIES: DesiredPolicies = {
  import: { statements: [], otherwise: 'accept' },
  export: { statements: [{ name: 'own', match: { source: 'local' }, action: 'accept' }], otherwise: 'reject' },
};
