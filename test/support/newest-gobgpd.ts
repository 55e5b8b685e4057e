// gobgpd 4.x for tests: the newest release, built by Go into the user's cache, once. The package of the distribution has
// 3.x. The build takes two to three minutes on two cores; it goes on by itself when the test that started it does not
// want to wait any longer, and the next run finds it.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../../lib/wait-for.ts';

/** `absent`: `why` is a sentence for the report. */
export type NewestGobgpd =
  | { readonly kind: 'built'; readonly program: string }
  | { readonly kind: 'absent'; readonly why: string };

const MODULE = 'github.com/osrg/gobgp/v4/cmd/gobgpd@latest';
/** A test file may take four minutes; this leaves half of them. */
const PATIENCE_MS = 120_000;

/** Go as its packages and its own archive install it; the archive does not put it into PATH. */
const GO = ['/usr/local/go/bin/go', '/usr/bin/go', '/usr/lib/go/bin/go'].find(existsSync);

export async function newestGobgpd(): Promise<NewestGobgpd> {
  const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'margay-test', 'gobgpd-v4');
  const program = join(folder, 'gobgpd');
  if (existsSync(program)) return { kind: 'built', program };
  if (GO === undefined) return { kind: 'absent', why: 'not run with gobgpd 4.x: Go is not installed' };
  mkdirSync(folder, { recursive: true });
  let ended: number | null | undefined;
  // Of two tests at once, the second finds what the first has built. The file appears complete or not at all.
  const build = spawn(
    'flock',
    [
      join(folder, 'lock'),
      'sh',
      '-c',
      'test -e "$2/gobgpd" || { GOBIN="$2/new" "$0" install "$1" && mv "$2/new/gobgpd" "$2/gobgpd"; }',
    ].concat(GO, MODULE, folder),
    { detached: true, stdio: 'ignore', env: { ...process.env, CGO_ENABLED: '0' } },
  );
  build.once('exit', (code) => (ended = code));
  build.unref();
  await waitFor('the build of gobgpd 4.x', () => ended !== undefined, { timeoutMs: PATIENCE_MS }).catch(
    () => undefined,
  );
  if (existsSync(program)) return { kind: 'built', program };
  const how = ended === undefined ? 'is still being built' : `could not be built (go install ended with ${ended})`;
  return { kind: 'absent', why: `not run with gobgpd 4.x: it ${how}` };
}
