// Kernel parameters as files below /proc/sys. Keys are given in parts, because interface names may contain dots.
// Those of `net` are the ones of the calling thread's network namespace.
import { closeSync, constants, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { KernelError } from './kernel-error.ts';

/** Key parts, such as `['net', 'ipv4', 'conf', 'mgy0123', 'proxy_arp']`. */
export type SysctlKey = readonly string[];

/** The value without surrounding blanks. @throws KernelError, ENOENT when there is no such key */
export function readSysctl(key: SysctlKey): string {
  return attempt('read', key, (path) => readFileSync(path, 'utf8').trim());
}

/**
 * Sets a value. `if-different`: a value that is already there is not written again, because writing some keys has side
 * effects. `unread`: for keys that have none, where reading first would double the work.
 * @returns whether it was written
 * @throws KernelError
 */
export function writeSysctl(key: SysctlKey, value: string, how: 'if-different' | 'unread' = 'if-different'): boolean {
  if (how === 'if-different' && readSysctl(key) === value) return false;
  attempt('write', key, (path) => {
    const fd = openSync(path, constants.O_WRONLY);
    try {
      writeSync(fd, value);
    } finally {
      closeSync(fd);
    }
  });
  return true;
}

export const hasSysctl = (key: SysctlKey): boolean => existsSync(pathOf(key));

function attempt<T>(verb: 'read' | 'write', key: SysctlKey, io: (path: string) => T): T {
  try {
    return io(pathOf(key));
  } catch (error) {
    if (!(error instanceof Error) || !('errno' in error)) throw error;
    throw new KernelError(`${verb} sysctl "${key.join('.')}"`, Math.abs(Number(error.errno)));
  }
}

function pathOf(key: SysctlKey): string {
  const bad = key.find((part) => part === '' || part === '.' || part === '..' || /[/\0]/.test(part));
  if (bad !== undefined || key.length === 0) {
    throw new Error(`Cannot use sysctl key "${key.join('.')}": part "${bad ?? ''}", expected a file name`);
  }
  return `/proc/sys/${key.join('/')}`;
}
