// Pages of executable and libraries that this process has touched and may never touch again, given back to the kernel:
// madvise(2). From a start that is tens of megabytes of compiler, parser and library set-up.
import { readFileSync } from 'node:fs';
import koffi from 'koffi';

const MADV_DONTNEED = 4;

/** First address and length in bytes. */
export type Mapping = { readonly start: bigint; readonly bytes: bigint };

/**
 * A page that is needed again comes from the page cache, at the price of a minor fault. Takes some milliseconds. Does nothing
 * where the kernel does not tell what is mapped (CONFIG_PROC_PAGE_MONITOR).
 */
export function dropFilePages(): void {
  const madvise = koffi.load(null).func('int madvise(uintptr_t start, size_t length, int advice)');
  for (const { start, bytes } of cleanFileMappings(ownMappings())) madvise(start, bytes, MADV_DONTNEED);
}

function ownMappings(): string {
  try {
    return readFileSync('/proc/self/smaps', 'utf8');
  } catch {
    return '';
  }
}

/**
 * Of an smaps (proc_pid_smaps(5)) the mappings of files that cannot be written and have no page of the process's own:
 * others, such as tables that the loader relocated before it made them read-only, would lose what was written. A page that
 * was swapped out is not counted as anonymous, and is lost as well.
 */
export function cleanFileMappings(smaps: string): readonly Mapping[] {
  const found: Mapping[] = [];
  let mapping: Mapping | undefined;
  for (const line of smaps.split('\n')) {
    const header = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) [0-9a-f]+ \S+ (\d+)/.exec(line);
    if (header) {
      const [, start = '', end = '', permissions = '', inode] = header;
      const isFile = inode !== '0' && !permissions.includes('w');
      mapping = isFile ? { start: BigInt(`0x${start}`), bytes: BigInt(`0x${end}`) - BigInt(`0x${start}`) } : undefined;
    } else if (/^(Anonymous|Swap):/.test(line) && !/:\s+0 kB$/.test(line)) mapping = undefined;
    else if (mapping && line.startsWith('Swap:')) found.push(mapping);
  }
  return found;
}
