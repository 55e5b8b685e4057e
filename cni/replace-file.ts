// Replaces a file so that nobody ever reads, runs or writes to half of it, whatever the umask, and so that it is on disk
// before its name leads to it. Without the latter, a machine that loses power may start with an empty executable.
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * `content` is asked twice, before and after writing: a source that changes meanwhile is refused. Missing folders are made.
 * @throws Error when what was written is not what was meant; the file is the old one then
 */
export function replaceFile(path: string, content: () => Uint8Array, mode: number): void {
  const folder = dirname(path);
  const temporary = join(folder, `${TEMPORARY}${process.pid}`);
  const given = content();
  attempt('write', path, () => {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    rmSync(temporary, { force: true });
  });
  try {
    attempt('write', path, () => writeToDisk(temporary, given, mode));
    const [found, meant] = [sha256(readFileSync(temporary)), sha256(content())];
    if (found !== meant)
      throw new Error(`Cannot write "${path}": SHA-256 is ${found}, expected ${meant} of its source`);
    attempt('write', path, () => {
      renameSync(temporary, path);
      withFile(folder, 'r', 0, fsyncSync);
    });
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Removes the file, and what killed processes left of it half written. What is not there is no error. @throws Error */
export function removeFile(path: string): void {
  attempt('remove', path, () => {
    rmSync(path, { force: true });
    const folder = dirname(path);
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      if (name.startsWith(TEMPORARY)) rmSync(join(folder, name), { force: true });
    }
  });
}

/** A dot: runtimes read no such names. */
const TEMPORARY = '.margay-';

function attempt(verb: 'write' | 'remove', path: string, work: () => void): void {
  try {
    work();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause;
    throw new Error(`Cannot ${verb} "${path}": ${why}, expected a folder that is there or can be made, and writable`, {
      cause,
    });
  }
}

/** Nobody else may open it while it is written: who has it open for writing keeps that, whatever its mode becomes. */
function writeToDisk(path: string, content: Uint8Array, mode: number): void {
  withFile(path, 'wx', 0o600, (fd) => {
    writeFileSync(fd, content);
    fchmodSync(fd, mode);
    fsyncSync(fd);
  });
}

function withFile(path: string, flags: string, mode: number, work: (fd: number) => void): void {
  const fd = openSync(path, flags, mode);
  try {
    work(fd);
  } finally {
    closeSync(fd);
  }
}

const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');
