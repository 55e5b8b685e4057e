// Memory that the C library has freed and kept, given back to the kernel: malloc_trim(3). After a start that is megabytes,
// from what was read and compiled only once.
import koffi from 'koffi';

/** Takes a millisecond or a few. Does nothing where the C library has no such function (musl). */
export function trimMalloc(): void {
  try {
    koffi.load(null).func('int malloc_trim(size_t pad)')(0);
  } catch {
    // Then what was freed stays for the next need.
  }
}
