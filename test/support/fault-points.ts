// Kills a program of ours after a chosen effect, for tests. It is loaded before the program (`node --import`), which is
// the only way in: nothing outside test/ knows of it. Every write to the kernel, to its parameters and to the journal is
// an effect; those that one ADD or DEL makes until it is answered are counted, and the answer is the last.
//
// MARGAY_FAULTS names a file. When a verb begins, its content says what to do, and the file goes:
//   {"verb": "add", "after": 3}      SIGKILL after the third effect; 0: before the first
//   {"verb": "add", "after": 1, "of": NAME}   the same, of the effects of this name
//   {"verb": "add", "trace": FILE}   writes the names of its effects into FILE when it ends
//   with "answers": 3                the effects of all that goes on until the third answer
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

export type FaultPlan = {
  readonly verb: 'add' | 'del';
  readonly after?: number;
  readonly of?: string;
  readonly trace?: string;
  readonly answers?: number;
};

type Function = (...args: unknown[]) => unknown;
type Functions = Readonly<Record<string, Function>>;

const SYSCTL = 'set kernel parameters';

const WATCHED: Readonly<Record<string, (real: Functions) => Functions>> = {
  'cni/add.ts': ({ add }) => ({ add: verb('add', add) }),
  'cni/del.ts': ({ del }) => ({ del: verb('del', del) }),
  'cni/frame.ts': ({ encodeAnswer }) => ({
    encodeAnswer: (...args) => {
      // It is written in the same turn of the event loop.
      if (plan !== undefined) setImmediate(answered);
      return encodeAnswer?.(...args);
    },
  }),
  'lib/linux/netlink-socket.ts': ({ openNetlinkSocket }) => ({
    openNetlinkSocket: (protocol, ...args) => {
      const socket = openNetlinkSocket?.(protocol, ...args) as Functions;
      const sendInThread = socket['sendInThread'];
      return {
        ...socket,
        send: after(socket['send'], (message) => requestName(protocol, message as Uint8Array)),
        sendInThread: async (message: unknown) => {
          const result = await sendInThread?.(message);
          const name = requestName(protocol, message as Uint8Array);
          if (name !== undefined) happened(`${name} in a thread`);
          return result;
        },
      };
    },
  }),
  'lib/linux/sysctl.ts': ({ writeSysctl }) => ({
    writeSysctl: after(writeSysctl, () => SYSCTL),
  }),
  'ipam/journal.ts': ({ openJournal }) => ({
    openJournal: (...args) => {
      const journal = openJournal?.(...args) as Functions;
      const named = (name: string): Function => after(journal[name], () => `journal ${name}`);
      return { ...journal, assign: named('assign'), amend: named('amend'), release: named('release') };
    },
  }),
};

let plan: FaultPlan | undefined;
let effects: string[] = [];
let answers = 0;

const verb =
  (name: FaultPlan['verb'], real: Function | undefined): Function =>
  (...args) => {
    const found = readPlan();
    if (found?.verb === name) {
      plan = found;
      effects = [];
      answers = 0;
      if (plan.after === 0) die();
    }
    return real?.(...args);
  };

/** `nameOf` gives `undefined` for what changes nothing. */
const after =
  (real: Function | undefined, nameOf: (argument: unknown) => string | undefined): Function =>
  (...args) => {
    const result = real?.(...args);
    const name = nameOf(args[0]);
    if (name !== undefined) happened(name);
    return result;
  };

function happened(name: string): void {
  // Kernel parameters that are written one after the other are one step.
  if (plan === undefined || (name === effects.at(-1) && name === SYSCTL)) return;
  effects.push(name);
  const { of } = plan;
  const counted = of === undefined ? effects.length : effects.filter((each) => each === of).length;
  if (counted === plan.after && (of === undefined || of === name)) die();
}

function answered(): void {
  happened('answer');
  answers++;
  if (answers < (plan?.answers ?? 1)) return;
  if (plan?.trace !== undefined) {
    // Renamed, so that nobody reads half of it.
    writeFileSync(`${plan.trace}.new`, JSON.stringify(effects));
    renameSync(`${plan.trace}.new`, plan.trace);
  }
  plan = undefined;
}

/** `nlmsg_type` of requests that change something (linux/rtnetlink.h, linux/netfilter/nfnetlink.h). */
const REQUESTS: Readonly<Record<string, string>> = {
  '0:16': 'create link',
  '0:17': 'delete link',
  '0:19': 'set link',
  '0:20': 'add address',
  '0:24': 'set route',
  '0:25': 'delete route',
  '0:28': 'set neighbour',
  '12:16': 'commit rules',
};

const requestName = (protocol: unknown, message: Uint8Array): string | undefined =>
  REQUESTS[`${protocol}:${new DataView(message.buffer, message.byteOffset).getUint16(4, true)}`];

function readPlan(): FaultPlan | undefined {
  const path = process.env['MARGAY_FAULTS'] ?? '';
  try {
    const found = JSON.parse(readFileSync(path, 'utf8')) as FaultPlan;
    rmSync(path);
    return found;
  } catch {
    // No file: no fault is wanted.
    return undefined;
  }
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
  // Nothing may happen until the signal takes effect.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
}

/** What a watched module exports in place of its own functions. */
export const watched = (path: string, real: Functions): Functions => WATCHED[path]?.(real) ?? {};

const ROOT = new URL('../../', import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) => {
    const found = next(specifier, context);
    const path = found.url.slice(ROOT.length);
    return found.url.startsWith(ROOT) && path in WATCHED ? { ...found, url: `${found.url}?watched` } : found;
  },
  load: (url, context, next) => {
    if (!url.endsWith('?watched')) return next(url, context);
    const own = url.replace('?watched', '?own');
    const path = url.slice(ROOT.length).replace('?watched', '');
    const names = Object.keys(watched(path, {}));
    const source = `import * as own from ${JSON.stringify(own)};
      import { watched } from ${JSON.stringify(import.meta.url)};
      export * from ${JSON.stringify(own)};
      export const { ${names.join(', ')} } = watched(${JSON.stringify(path)}, own);`;
    return { format: 'module', source, shortCircuit: true };
  },
});
