// Forgets all flows of the namespace where it was opened (ctnetlink, include/uapi/linux/netfilter/nfnetlink_conntrack.h).
import { KernelError } from '../../../lib/linux/kernel-error.ts';
import { decodeMessages, encodeMessage, NLM_F, NLMSG } from '../../../lib/linux/netlink-message.ts';
import { NETLINK, openNetlinkSocket } from '../../../lib/linux/netlink-socket.ts';

export type ConntrackFlush = {
  /** @throws KernelError */
  readonly flush: () => void;
  readonly close: () => void;
};

const IPCTNL_MSG_CT_DELETE = (1 << 8) | 2; // NFNL_SUBSYS_CTNETLINK

/** @throws KernelError */
export function openConntrackFlush(): ConntrackFlush {
  const socket = openNetlinkSocket(NETLINK.netfilter, { datagramBytes: 64 * 1024 });
  // struct nfgenmsg of any family; without a tuple all flows are meant.
  const request = encodeMessage(IPCTNL_MSG_CT_DELETE, NLM_F.REQUEST | NLM_F.ACK, 1, new Uint8Array(4));
  return {
    flush: () => {
      socket.send(request);
      const [answer] = decodeMessages(socket.receive('wait') ?? new Uint8Array());
      const errno = answer?.type === NLMSG.ERROR ? -Buffer.from(answer.payload).readInt32LE(0) : 0;
      if (errno !== 0) throw new KernelError('forget all flows', errno);
    },
    close: socket.close,
  };
}
