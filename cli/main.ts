// The `margay` program: finds the subcommand, loads its file alone (a start must stay under 100 ms), runs it, and turns
// whatever it throws into one line on stderr and exit code 1.
import { readFileSync } from 'node:fs';
import { Command } from 'commander';

/** A file of this folder that adds one subcommand to the program. */
type Register = (program: Command) => void;

type Entry = { readonly summary: string; readonly load: () => Promise<Register> };

const COMMANDS: ReadonlyMap<string, Entry> = new Map([
  [
    'apply',
    { summary: 'create or update objects from files', load: async () => (await import('./apply.ts')).registerApply },
  ],
  ['get', { summary: 'print objects', load: async () => (await import('./get.ts')).registerGet }],
  ['delete', { summary: 'delete objects', load: async () => (await import('./delete.ts')).registerDelete }],
  [
    'lab',
    {
      summary: 'a cluster on this machine, in network namespaces',
      load: async () => (await import('./lab.ts')).registerLab,
    },
  ],
  ['ipam', { summary: 'addresses of pods', load: async () => (await import('./ipam.ts')).registerIpam }],
  ['bgp', { summary: 'sessions and routes', load: async () => (await import('./bgp.ts')).registerBgp }],
  [
    'metrics',
    { summary: 'what a monitoring system reads', load: async () => (await import('./metrics.ts')).registerMetrics },
  ],
  ['node', { summary: 'nodes and their traffic', load: async () => (await import('./node.ts')).registerNode }],
  ['cni', { summary: 'the plugin of the container runtime', load: async () => (await import('./cni.ts')).registerCni }],
  [
    'controller',
    {
      summary: 'the process that a cluster has once',
      load: async () => (await import('./controller.ts')).registerController,
    },
  ],
  ['policy', { summary: 'what policies do to pods', load: async () => (await import('./policy.ts')).registerPolicy }],
  [
    'bench',
    { summary: 'measure, next to other programs', load: async () => (await import('./bench.ts')).registerBench },
  ],
  ['test', { summary: 'run the tests of the project', load: async () => (await import('./test.ts')).registerTest }],
]);

await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  // A reader that has seen enough (`margay get pods | head -1`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  try {
    const program = await createProgram(args);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = 1;
    console.error(describe(error));
  }
}

/** Every subcommand is listed; only the one that is asked for is complete. */
async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('margay')
    .description(packageField('description'))
    .version(packageField('version'))
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'margay: ')) });
  const words = args.filter((word) => !word.startsWith('-'));
  const asked = words[0] === 'help' ? words[1] : words[0];
  for (const [name, { summary, load }] of COMMANDS) {
    if (name === asked) (await load())(program);
    else program.command(name).description(summary);
  }
  pointToHelp(program, program.name());
  return program;
}

/** Whoever got a subcommand wrong is sent to its own help. */
function pointToHelp(command: Command, path: string): void {
  command.showHelpAfterError(`Run "${path} --help" for usage`);
  for (const sub of command.commands) pointToHelp(sub, `${path} ${sub.name()}`);
}

function packageField(name: 'version' | 'description'): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as Record<typeof name, string>)[name];
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return `margay: ${String(error)}`;
  return process.env['MARGAY_DEBUG'] === '1' ? (error.stack ?? error.message) : `margay: ${error.message}`;
}
