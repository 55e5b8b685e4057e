// The agent's side of CNI: every verb as the steps of the specification. Calls for one container, and for one pod name,
// follow each other; others run side by side.
import type { Ipam } from '../ipam/ipam.ts';
import type { Family } from '../lib/ip.ts';
import { hostIfName } from '../lib/linux/if-name.ts';
import type { Log } from '../lib/log.ts';
import { add } from './add.ts';
import type { Endpoints } from './attachment.ts';
import { check } from './check.ts';
import { collectGarbage, del } from './del.ts';
import { CNI_CODE, CniError, printError } from './errors.ts';
import type { CniAnswer, CniFrame } from './frame.ts';
import { createKeyedLock } from './keyed-lock.ts';
import { type CniRequest, type PodName, parseRequest, versionForError } from './spec.ts';
import type { SpoolPlace } from './spool-place.ts';
import { createTurns } from './turns.ts';
import type { Wiring } from './wiring.ts';
import type { PodAddressRequests, PodFacts } from './wishes.ts';

export type CniDeps = {
  readonly ipam: Pick<Ipam, 'assign' | 'markAttached' | 'release' | 'find' | 'assignments'>;
  readonly wiring: Wiring;
  readonly endpoints: Endpoints;
  /** MTU of new pods, where the network configuration gives none. */
  readonly mtu: () => number;
  /** Families that new pods of a namespace get addresses of; IPv4 when absent. */
  readonly families?: (namespace: string) => readonly Family[];
  /** What the datastore knows of a pod and of its namespace; `undefined`: neither. */
  readonly podFacts?: (pod: PodName) => Promise<PodFacts | undefined>;
  /** Absent: `honour`. */
  readonly podAddressRequests?: PodAddressRequests;
  /** Why no pod can be attached now (50), or existing ones suffer too (51). Cheap: the runtime asks every few seconds. */
  readonly status?: () => { readonly code: 50 | 51; readonly why: string } | undefined;
  /** Hears of the folder that the executable keeps DELs in. */
  readonly spoolPlace?: Pick<SpoolPlace, 'seen'>;
  readonly log: Log;
};

/** `signal` aborts when the caller does not wait any more: what an ADD did until then is undone. Never rejects. */
export type CniHandler = (frame: CniFrame, signal?: AbortSignal) => Promise<CniAnswer>;

/** How many calls share a turn of the event loop and what they have in common; each takes one to three milliseconds. */
const CALLS_PER_TURN = 4;

export function createCniHandler(deps: CniDeps): CniHandler {
  const lock = createKeyedLock();
  const turn = createTurns(CALLS_PER_TURN);

  const run = async (request: CniRequest, signal: AbortSignal): Promise<string> => {
    switch (request.kind) {
      case 'add': {
        deps.spoolPlace?.seen(request.config.spoolDirectory);
        // Always the container before the name, so that two calls never wait for each other.
        using _container = await lock(`container ${request.handle}`);
        using _name = await lock(`name ${hostIfName(request.namespace, request.pod)}`);
        await turn();
        return await add(deps, request, signal);
      }
      case 'del': {
        using _container = await lock(`container ${request.handle}`);
        await turn();
        await del(deps, lock, request);
        return '';
      }
      case 'check': {
        using _container = await lock(`container ${request.handle}`);
        await turn();
        check(deps, request);
        return '';
      }
      case 'gc':
        await collectGarbage(deps, { lock, turn }, request);
        return '';
      case 'status': {
        const trouble = deps.status?.();
        if (trouble !== undefined) throw new CniError(trouble.code, `Cannot attach pods: ${trouble.why}`);
        return '';
      }
      default:
        return request satisfies never;
    }
  };

  return async (frame, signal = new AbortController().signal) => {
    const command = frame.environment.CNI_COMMAND;
    const containerId = frame.environment.CNI_CONTAINERID;
    try {
      return { exitCode: 0, stdout: await run(parseRequest(frame), signal) };
    } catch (thrown) {
      const error = asCniError(thrown);
      deps.log.warn({ err: thrown, command, containerId, code: error.code }, 'CNI request failed');
      return { exitCode: 1, stdout: printError(error, versionForError(frame.stdin)) };
    }
  };
}

function asCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new CniError(CNI_CODE.internal, why, 'The log of margay-node on this node has more');
}
