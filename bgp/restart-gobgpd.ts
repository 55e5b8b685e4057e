// Ends the gobgpd beside us, so that its supervisor starts a fresh one: AS number, router id and listening addresses of
// a running one cannot change. Sessions are lost, which these changes mean anyway.
import { readFileSync } from 'node:fs';

/**
 * `socketPath` is that of its API; the supervisor writes the process id beside it, as `….pid`. Nothing but a gobgpd that
 * serves this very socket is ended. Returns why it could not be done; `undefined`: it was.
 */
export function restartGobgpd(socketPath: string): string | undefined {
  const pidFile = socketPath.replace(/\.sock$/, '.pid');
  const pid = Number(readText(pidFile)?.trim());
  if (!Number.isInteger(pid) || pid <= 1) {
    return `Cannot restart gobgpd: "${pidFile}" names no process, expected one that supervise.sh keeps running`;
  }
  const args = readText(`/proc/${pid}/cmdline`)?.split('\0') ?? [];
  if (!args.includes(`--api-hosts=unix://${socketPath}`)) {
    return `Cannot restart gobgpd: process ${pid} of "${pidFile}" does not serve "${socketPath}"; restart it by hand`;
  }
  process.kill(pid, 'SIGTERM');
  return undefined;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // The caller says what it means.
  }
}
