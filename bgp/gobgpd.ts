// How gobgpd is started: API on a unix socket only, no profiling port, and a soft limit on its memory.

export type GobgpdOptions = {
  /** The socket to make; the folder must exist and be closed to others, because the API has no authentication. */
  readonly socketPath: string;
  /** Absent: `gobgpd` from PATH. */
  readonly program?: string | undefined;
  /** Absent: info. */
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | undefined;
  /** Go's soft memory limit in MiB. Absent: 256, enough for 100,000 routes. */
  readonly memoryMiB?: number | undefined;
};

export type GobgpdCommand = {
  readonly command: string;
  readonly args: readonly string[];
  /** To be added to the environment. */
  readonly env: Readonly<Record<string, string>>;
};

/** The arguments fit `supervise.sh`, too: it is given the same ones after its own three. */
export function gobgpdCommand({ socketPath, program, logLevel, memoryMiB }: GobgpdOptions): GobgpdCommand {
  return {
    command: program ?? 'gobgpd',
    args: [`--api-hosts=unix://${socketPath}`, '--pprof-disable', `--log-level=${logLevel ?? 'info'}`],
    env: { GOMEMLIMIT: `${memoryMiB ?? 256}MiB` },
  };
}
