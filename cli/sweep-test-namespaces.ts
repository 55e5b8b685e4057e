// Removes the network namespaces that killed test processes left behind. Their names carry the id of the process that
// made them: `mgyt-<pid>-<n>-<label>`.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';

/** Kills what runs in namespaces of dead test processes, then deletes them. Those of living ones are left alone. */
export function sweepTestNamespaces(): void {
  if (!existsSync('/run/netns')) return;
  for (const name of readdirSync('/run/netns')) {
    const owner = /^mgyt-(\d+)-/.exec(name)?.[1];
    if (owner === undefined || existsSync(`/proc/${owner}`)) continue;
    for (const pid of execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).split('\n')) {
      if (pid !== '') killQuietly(Number(pid));
    }
    execFileSync('ip', ['netns', 'del', name]);
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}
