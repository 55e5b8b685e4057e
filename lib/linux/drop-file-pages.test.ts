// Against this process itself: what it maps, and what the kernel counts as resident.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { cleanFileMappings, dropFilePages } from './drop-file-pages.ts';

const smaps = (): string => readFileSync('/proc/self/smaps', 'utf8');

/** Bytes; `field` as in proc_pid_status(5). */
const resident = (field: string): number =>
  1024 * Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

test('dropFilePages() leaves a process that goes on, with less of its files resident', () => {
  // Touched by the first call: they are needed for the second.
  dropFilePages();
  const sorted = Array.from({ length: 1000 }, (_, i) => `${i * 7919}`).sort(new Intl.Collator('de').compare);
  const before = resident('RssFile');
  dropFilePages();
  const after = resident('RssFile');
  assert.ok(after < before, `${after} of ${before} bytes are left`);
  assert.deepEqual(sorted, [...sorted].sort(new Intl.Collator('de').compare));
});

test('cleanFileMappings() takes files that nothing was written to: not data, not relocated tables, not what is swapped out, not memory', () => {
  const kb = (field: string, n: number): string => `${`${field}:`.padEnd(16)}${`${n}`.padStart(6)} kB\n`;
  const mapping = (header: string, anonymous: number, swap = 0): string =>
    `${header}\n${kb('Size', 8)}${kb('Anonymous', anonymous)}${kb('Swap', swap)}${kb('SwapPss', swap)}VmFlags: rd mr mw me sd\n`;
  const text = [
    mapping('00400000-00402000 r-xp 00000000 fe:00 5317758                    /usr/bin/x', 0),
    mapping('00402000-00404000 r--p 00002000 fe:00 5317758                    /usr/bin/x', 4),
    mapping('00408000-0040a000 r--p 00008000 fe:00 5317758                    /usr/bin/x', 0, 4),
    mapping('00404000-00406000 rw-p 00004000 fe:00 5317758                    /usr/bin/x', 0),
    mapping('7f0000000000-7f0000002000 r--p 00000000 00:00 0 ', 0),
    mapping('7ffff7f00000-7ffff7f02000 r--s 00000000 fe:00 77                 /var/a file', 0),
  ].join('');
  assert.deepEqual(cleanFileMappings(text), [
    { start: 0x400000n, bytes: 0x2000n },
    { start: 0x7ffff7f00000n, bytes: 0x2000n },
  ]);
});

test('the relocated tables of the running executable are left out', () => {
  const taken = new Set(cleanFileMappings(smaps()).map(({ start }) => start.toString(16)));
  const own = [
    ...smaps().matchAll(/^([0-9a-f]+)-\S+ (r\S{3}) \S+ \S+ [1-9]\d* +(\S+)\n(?:[A-Z].*\n)*?Anonymous: +(\d+) kB/gm),
  ];
  const dirty = own.filter(([, , , path, anonymous]) => path === process.execPath && anonymous !== '0');
  assert.ok(dirty.length > 0);
  for (const [, start = ''] of dirty) assert.ok(!taken.has(start.replace(/^0+/, '')), start);
});
