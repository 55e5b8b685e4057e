// Programs for tests that no package of the distribution has (in the version that is needed): built by Go into the user's
// cache, once. A long build goes on by itself when the test that started it does not want to wait any longer, and the next
// run finds it.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../../lib/wait-for.ts';

/** `absent`: `why` is a sentence for the report. */
export type GoProgram =
  | { readonly kind: 'built'; readonly program: string }
  | { readonly kind: 'absent'; readonly why: string };

/** The newest gobgpd; the package of the distribution has 3.x. Its build takes two to three minutes on two cores. */
export const newestGobgpd = (): Promise<GoProgram> =>
  goProgram({ name: 'gobgpd 4.x', folder: 'gobgpd-v4', module: 'github.com/osrg/gobgp/v4/cmd/gobgpd@latest' });

/** A container runtime as far as CNI sees one: libcni with a command line, knowing version 1.1.0. Ten seconds to build. */
export const cnitool = (): Promise<GoProgram> =>
  goProgram({ name: 'cnitool', folder: 'cnitool-1.3', module: 'github.com/containernetworking/cni/cnitool@v1.3.1' });

/** The reference plugin in a version that knows CNI 1.1.0; the package of the distribution does not. */
export const newestPortmap = (): Promise<GoProgram> =>
  goProgram({
    name: 'portmap 1.10',
    folder: 'portmap-1.10',
    module: 'github.com/containernetworking/plugins/plugins/meta/portmap@v1.10.0',
  });

/** A test file may take four minutes; this leaves half of them. */
const PATIENCE_MS = 120_000;

/** Go as its packages and its own archive install it; the archive does not put it into PATH. */
const GO = ['/usr/local/go/bin/go', '/usr/bin/go', '/usr/lib/go/bin/go'].find(existsSync);

async function goProgram(what: {
  /** For people. */
  readonly name: string;
  /** Below the cache, of this program and version alone. */
  readonly folder: string;
  /** Its last part, before the version, is the program's file name. */
  readonly module: string;
}): Promise<GoProgram> {
  const file = /([^/]+)@/.exec(what.module)?.[1] ?? what.module;
  const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'margay-test', what.folder);
  const program = join(folder, file);
  if (existsSync(program)) return { kind: 'built', program };
  if (GO === undefined) return { kind: 'absent', why: `not run with ${what.name}: Go is not installed` };
  mkdirSync(folder, { recursive: true });
  let ended: number | null | undefined;
  // Of two tests at once, the second finds what the first has built. The file appears complete or not at all.
  const build = spawn(
    'flock',
    [
      join(folder, 'lock'),
      'sh',
      '-c',
      'test -e "$2/$3" || { GOBIN="$2/new" "$0" install "$1" && mv "$2/new/$3" "$2/$3"; }',
    ].concat(GO, what.module, folder, file),
    { detached: true, stdio: 'ignore', env: { ...process.env, CGO_ENABLED: '0' } },
  );
  build.once('exit', (code) => (ended = code));
  build.unref();
  await waitFor(`the build of ${what.name}`, () => ended !== undefined, { timeoutMs: PATIENCE_MS }).catch(
    () => undefined,
  );
  if (existsSync(program)) return { kind: 'built', program };
  const how = ended === undefined ? 'is still being built' : `could not be built (go install ended with ${ended})`;
  return { kind: 'absent', why: `not run with ${what.name}: it ${how}` };
}
