// Deleting links without waiting for it on the main thread. The kernel takes some 16 ms to delete a link and 27 ms for a
// hundred of them at once, so links to delete are put into one interface group, and the group is deleted by a request
// that another thread sends.
import { setTimeout as delay } from 'node:timers/promises';
import koffi from 'koffi';
import { KernelError } from './kernel-error.ts';
import { encodeLink, RTM_DELLINK } from './link-codec.ts';
import { setLink } from './links.ts';
import { decodeMessages, encodeMessage, NLM_F, NLMSG, readI32 } from './netlink-message.ts';
import type { Rtnl } from './rtnl.ts';

/** The interface group of links that are about to go. */
export const DOOMED_GROUP = 0x6d677978;

export type DoomedLinks = {
  /**
   * Marks the links and resolves when they are deleted; links that are gone already are no error. Marked ones go even
   * when nobody waits, and `sweep()` takes those of an earlier process. `soon` lets others join them: meanwhile the
   * runtime removes most of the pods' namespaces, and the links go with those.
   * @throws KernelError
   */
  readonly doom: (indexes: readonly number[], when?: 'now' | 'soon') => Promise<void>;
  /** Deletes what is marked, by this process or an earlier one. @throws KernelError */
  readonly sweep: () => Promise<void>;
  /** Resolves when nothing is under way. */
  readonly close: () => Promise<void>;
};

/** How long `soon` is, in milliseconds. Every deletion keeps all other changes of links and routes waiting. */
const SOON_MS = 100;
const ENODEV = 19;
const EAGAIN = 11;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const MSG_DONTWAIT = 0x40;

/** For the network namespace that the thread is in now, which must be that of `rtnl`. @throws KernelError */
export function createDoomedLinks(rtnl: Rtnl): DoomedLinks {
  const group = openGroupDeleter();
  // At most one deletion runs and one waits; links marked meanwhile are all taken by the waiting one.
  let running: Promise<void> | undefined;
  let waiting: Promise<void> | undefined;

  const sweep = (): Promise<void> => {
    if (waiting !== undefined) return waiting;
    const before = running ?? Promise.resolve();
    const next = before
      .catch(() => undefined)
      .then(() => {
        waiting = undefined;
        running = next;
        return group.run();
      });
    waiting = next;
    return next;
  };

  // The one deletion that all wait for who said `soon`.
  let planned: Promise<void> | undefined;
  const sweepSoon = (): Promise<void> => {
    planned ??= delay(SOON_MS).then(() => {
      planned = undefined;
      return sweep();
    });
    return planned;
  };

  return {
    doom: async (indexes, when = 'now') => {
      const found = indexes.filter((index) => mark(rtnl, index));
      if (found.length > 0) await (when === 'now' ? sweep() : sweepSoon());
    },
    sweep,
    close: async () => {
      await planned?.catch(() => undefined);
      await Promise.allSettled([running, waiting]);
      group.close();
    },
  };
}

function mark(rtnl: Rtnl, index: number): boolean {
  try {
    setLink(rtnl, index, { group: DOOMED_GROUP });
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === ENODEV) return false;
    throw error;
  }
}

function openGroupDeleter(): { readonly run: () => Promise<void>; readonly close: () => void } {
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const send = libc.func('int64_t send(int fd, void *data, size_t length, int flags)');
  const receive = libc.func('int64_t recv(int fd, void *data, size_t length, int flags)');
  const close = libc.func('int close(int fd)');
  const op = 'delete the doomed links';
  const fd: number = socket(AF_NETLINK, SOCK_RAW_CLOEXEC, 0);
  if (fd < 0) throw new KernelError(op, koffi.errno());
  const payload = encodeLink({ group: DOOMED_GROUP });
  let sequence = 0;
  let open = true;

  const run = async (): Promise<void> => {
    if (!open) return;
    sequence++;
    const request = encodeMessage(RTM_DELLINK, NLM_F.REQUEST | NLM_F.ACK, sequence, payload);
    const sent = await new Promise<number>((resolve, reject) => {
      send.async(fd, request, request.length, 0, (error: unknown, result: number) =>
        error === null || error === undefined ? resolve(result) : reject(error),
      );
    });
    if (sent < 0) throw new KernelError(op, EAGAIN, 'the request was not sent');
    const answer = Buffer.alloc(4096);
    for (;;) {
      const length: number = receive(fd, answer, answer.length, MSG_DONTWAIT);
      if (length < 0) throw new KernelError(op, koffi.errno());
      for (const message of decodeMessages(answer.subarray(0, length))) {
        if (message.type !== NLMSG.ERROR || message.sequence !== sequence) continue;
        const error = -readI32(message.payload);
        // An empty group means that the links went by themselves, with their pods' namespaces.
        if (error !== 0 && error !== ENODEV) throw new KernelError(op, error);
        return;
      }
    }
  };
  return {
    run,
    close: () => {
      if (open) close(fd);
      open = false;
    },
  };
}
