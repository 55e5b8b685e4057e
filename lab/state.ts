// The lab's directory and its lab.json: made in one step, so that two commands never make one lab twice, and read by
// every other command.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { LABS_DIRECTORY, labDirectory, labFiles } from './paths.ts';
import { startTimeOf } from './processes.ts';
import { type LabSpec, labSpecSchema } from './spec.ts';

/**
 * What is known of a lab name. `broken`: something is there that no running command works on. `orphaned`: it runs, but
 * the command that would remove it was killed.
 */
export type LabState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'broken' }
  | { readonly kind: 'starting'; readonly pid: number }
  | { readonly kind: 'running' | 'orphaned'; readonly spec: LabSpec };

export function readLabState(lab: string): LabState {
  if (!existsSync(labDirectory(lab))) return { kind: 'absent' };
  const spec = readSpec(lab);
  if (spec === undefined) return { kind: 'broken' };
  const { pid, startTime } = spec.startedBy;
  const isOwned = startTimeOf(pid) === startTime;
  if (spec.state === 'starting') return isOwned ? { kind: 'starting', pid } : { kind: 'broken' };
  return { kind: isOwned || spec.lifetime === 'until-down' ? 'running' : 'orphaned', spec };
}

/**
 * The plan of a running lab.
 * @throws Error saying how to start one
 */
export function requireLab(lab: string): LabSpec {
  const state = readLabState(lab);
  switch (state.kind) {
    case 'running':
    case 'orphaned':
      return state.spec;
    case 'absent':
      throw new Error(`Cannot find lab "${lab}": not running, expected ${known()} (./margay lab up${nameOption(lab)})`);
    case 'broken':
      throw new Error(
        `Cannot use lab "${lab}": its start was interrupted, expected ./margay lab up${nameOption(lab)} again`,
      );
    case 'starting':
      throw new Error(`Cannot use lab "${lab}": process ${state.pid} is still starting it, expected a running lab`);
    default:
      return state satisfies never;
  }
}

/**
 * Makes the lab's directory with its lab.json in one atomic step.
 * @throws Error when there is one already
 */
export function createLabDirectory(spec: LabSpec): void {
  mkdirSync(LABS_DIRECTORY, { recursive: true, mode: 0o700 });
  const fresh = mkdtempSync(join(LABS_DIRECTORY, `.new-${process.pid}-`));
  try {
    writeFileSync(join(fresh, 'lab.json'), format(spec), { mode: 0o600 });
    renameSync(fresh, labDirectory(spec.name));
  } catch (cause) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(labDirectory(spec.name))) throw cause;
    throw new Error(`Cannot make lab "${spec.name}": it is there already, expected ./margay lab down first`, { cause });
  }
}

export function writeSpec(spec: LabSpec): void {
  const { spec: path } = labFiles(spec.name);
  writeFileSync(`${path}.new`, format(spec), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Names of all labs that have a directory. */
export function labNames(): readonly string[] {
  if (!existsSync(LABS_DIRECTORY)) return [];
  return readdirSync(LABS_DIRECTORY)
    .filter((name) => !name.startsWith('.'))
    .toSorted();
}

/** Removes the lab's directory with everything in it. */
export function removeLabDirectory(lab: string): void {
  rmSync(labDirectory(lab), { recursive: true, force: true });
  sweepHalfMade();
}

/** Removes directories that a killed command had not yet given their name. */
function sweepHalfMade(): void {
  if (!existsSync(LABS_DIRECTORY)) return;
  for (const name of readdirSync(LABS_DIRECTORY)) {
    const owner = /^\.new-(\d+)-/.exec(name)?.[1];
    if (owner !== undefined && startTimeOf(Number(owner)) === undefined) {
      rmSync(join(LABS_DIRECTORY, name), { recursive: true, force: true });
    }
  }
}

/** The plan of a lab in whatever state; `undefined` when there is none that can be read. */
export function readSpec(lab: string): LabSpec | undefined {
  try {
    return labSpecSchema.parse(JSON.parse(readFileSync(labFiles(lab).spec, 'utf8')));
  } catch {
    return undefined;
  }
}

function known(): string {
  const names = labNames();
  return names.length === 0 ? 'a lab to be started first' : `one of ${names.join(', ')}`;
}

const nameOption = (lab: string): string => (lab === 'default' ? '' : ` --name ${lab}`);

const format = (spec: LabSpec): string => `${JSON.stringify(spec, undefined, 2)}\n`;
