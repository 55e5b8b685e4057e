// Interface names, and the deterministic name of a pod's host end.
import { createHash } from 'node:crypto';
import type { Brand } from '../brand.ts';
import { err, ok, type Result } from '../result.ts';

/**
 * A Linux interface name: 1 to 15 bytes, no blank, slash or colon (`dev_valid_name()` in net/core/dev.c); no `%`, which the
 * kernel fills in with a number; not the names of kernel parameters for all links (`sysctl_dev_name_is_allowed()` in
 * net/ipv4/devinet.c); and no quotes and backslashes, which mean something else to whoever prints them.
 */
export type IfName = Brand<string, 'IfName'>;

/** What our host ends start with; an interface so named is ours, and unknown ones are dropped. */
export const IF_PREFIX = 'mgy';

export function parseIfName(text: string): Result<IfName> {
  if (!/^[!#$&(-.0-9;-[\]-_a-~]{1,15}$/.test(text) || RESERVED.includes(text)) {
    return err(
      `Cannot use interface name "${text}": expected 1 to 15 printable characters without blank, slash, colon, percent sign, quote or backslash`,
    );
  }
  return ok(text as IfName);
}

const RESERVED: readonly string[] = ['.', '..', 'all', 'default'];

/** Host end of a pod: `mgy` and 11 hex digits of SHA-1 over `namespace.pod`. */
export function hostIfName(namespace: string, pod: string): IfName {
  return `${IF_PREFIX}${createHash('sha1').update(`${namespace}.${pod}`).digest('hex').slice(0, 11)}` as IfName;
}
