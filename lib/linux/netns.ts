// Entering a network namespace for a moment. A socket and the files below /proc/sys/net belong to the namespace of the
// thread that opens them, so it is enough to be inside while opening. Only the calling (main) thread moves; the
// function is synchronous, so that no other work of the event loop can run in the wrong namespace.
import { closeSync, constants, openSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import koffi from 'koffi';
import { KernelError } from './kernel-error.ts';

const CLONE_NEWNET = 0x40000000; // include/uapi/linux/sched.h
const NS_GET_NSTYPE = 0xb703; // include/uapi/linux/nsfs.h
const NSFS_MAGIC = 0x6e736673; // include/uapi/linux/magic.h
const OWN_NETNS = '/proc/thread-self/ns/net';

// The running program itself is searched: it is linked with the C library of the machine, whichever that is.
const libc = koffi.load(null);
const setns = libc.func('int setns(int fd, int nstype)');
const ioctl = libc.func('int ioctl(int fd, unsigned long request, ...)');

let ownNetns: number | undefined;

/**
 * Runs `fn` with the thread in the namespace at `path` (a bind mount or /proc/PID/ns/net) and comes back.
 * @throws KernelError when the path is not a network namespace; whatever `fn` throws
 */
export function inNetns<T>(path: string, fn: () => T): T {
  const fd = openNetns(path);
  try {
    return inOpenNetns(fd, fn);
  } finally {
    closeSync(fd);
  }
}

/** As `inNetns()`, with a descriptor of `openNetns()`. @throws KernelError; whatever `fn` throws */
export function inOpenNetns<T>(fd: number, fn: () => T): T {
  ownNetns ??= openSync(OWN_NETNS, constants.O_RDONLY);
  if (setns(fd, CLONE_NEWNET) !== 0) throw new KernelError('enter a network namespace', koffi.errno());
  try {
    return fn();
  } finally {
    // Staying in a pod's namespace would send everything that follows to the wrong kernel tables.
    if (setns(ownNetns, CLONE_NEWNET) !== 0) process.abort();
  }
}

/**
 * A file descriptor of the namespace at `path`, for the caller to close.
 * @throws KernelError ENOENT and the like, or EINVAL when the path is not a namespace
 */
export function openNetns(path: string): number {
  const op = `open network namespace "${path}"`;
  try {
    // Asked before opening, since opening a device or a pipe may block or have effects.
    if (statfsSync(path).type !== NSFS_MAGIC) throw new KernelError(op, osConstants.errno.EINVAL);
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (ioctl(fd, NS_GET_NSTYPE) === CLONE_NEWNET) return fd;
    closeSync(fd);
    throw new KernelError(op, osConstants.errno.EINVAL);
  } catch (error) {
    throw asKernelError(op, error);
  }
}

/** Whether the path is the namespace that this process runs in. @throws KernelError when it cannot be looked at */
export function isOwnNetns(path: string): boolean {
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    return there !== undefined && readlinkSync(OWN_NETNS) === `net:[${there.ino}]`;
  } catch (error) {
    throw asKernelError(`look at network namespace "${path}"`, error);
  }
}

function asKernelError(op: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('errno' in error) || error instanceof KernelError) return error;
  return new KernelError(op, Math.abs(Number(error.errno)));
}
