// The error of a system call or a netlink request: which operation, and the kernel's answer as number and name.
import { getSystemErrorMap } from 'node:util';

/** `errno` is positive (errno(3)); `code` is its name, such as `ENOENT`, or `E<number>` when it has none. */
export class KernelError extends Error {
  readonly op: string;
  readonly errno: number;
  readonly code: string;

  constructor(op: string, errno: number, detail?: string) {
    const [code, text] = getSystemErrorMap().get(-errno) ?? [`E${errno}`, 'unknown error'];
    super(`Cannot ${op}: ${detail ?? text} (${code})`);
    this.name = 'KernelError';
    this.op = op;
    this.errno = errno;
    this.code = code;
  }
}
