// Numbers of the kernel interface, by their names in include/uapi/linux/netfilter/nf_tables.h, nfnetlink.h and netlink.h.

export const NFNL_SUBSYS_NFTABLES = 10;
export const NFNL_MSG_BATCH_BEGIN = 16;
export const NFNL_MSG_BATCH_END = 17;
export const NFNLGRP_NFTABLES = 7;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLM_F = {
  request: 0x1,
  ack: 0x4,
  dumpIntr: 0x10,
  dump: 0x300,
  create: 0x400,
  append: 0x800,
  ackTlvs: 0x200,
} as const;
export const NLMSGERR_ATTR = { msg: 1, offs: 2 } as const;

/** Size of nlmsghdr and nfgenmsg together. */
export const HEADER_BYTES = 20;

/** Address families of netfilter (NFPROTO_*). */
export const NFPROTO = { inet: 1, ipv4: 2, ipv6: 10 } as const;

export const NFT_MSG = {
  newTable: 0,
  getTable: 1,
  delTable: 2,
  newChain: 3,
  getChain: 4,
  delChain: 5,
  newRule: 6,
  getRule: 7,
  delRule: 8,
  newSet: 9,
  getSet: 10,
  delSet: 11,
  newSetElem: 12,
  getSetElem: 13,
  delSetElem: 14,
  newGen: 15,
  getGen: 16,
  newObj: 18,
  getObj: 19,
  delObj: 20,
  newFlowtable: 22,
  getFlowtable: 23,
} as const;

export const NFTA_TABLE = { name: 1, flags: 2 } as const;
export const TABLE_FLAG = { owner: 2, persist: 4 } as const;
export const NFTA_CHAIN = { table: 1, name: 3, hook: 4, policy: 5, type: 7 } as const;
export const NFTA_HOOK = { hooknum: 1, priority: 2 } as const;
export const HOOKS = ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const;
export const NFTA_RULE = { table: 1, chain: 2, expressions: 4, userdata: 7 } as const;
export const NFTA_SET = {
  table: 1,
  name: 2,
  flags: 3,
  keyType: 4,
  keyLen: 5,
  dataType: 6,
  dataLen: 7,
  desc: 9,
  id: 10,
  userdata: 13,
} as const;
export const SET_FLAG = { anonymous: 1, constant: 2, interval: 4, map: 8, concat: 0x80 } as const;
export const NFTA_SET_DESC = { size: 1, concat: 2 } as const;
export const NFT_DATA_VERDICT = 0xffffff00;
export const NFTA_ELEM_LIST = { table: 1, set: 2, elements: 3, setId: 4 } as const;
export const NFTA_ELEM = { key: 1, data: 2, flags: 3, userdata: 6, keyEnd: 10 } as const;
export const ELEM_FLAG = { intervalEnd: 1, catchall: 2 } as const;
export const NFTA_OBJ = { table: 1, name: 2, type: 3, data: 4 } as const;
export const NFT_OBJECT_COUNTER = 1;
export const NFTA_GEN = { id: 1, procPid: 2 } as const;

/** The one attribute inside list attributes (NFTA_LIST_ELEM). */
export const NFTA_LIST_ELEM = 1;
export const NFTA_EXPR = { name: 1, data: 2 } as const;
export const NFTA_DATA = { value: 1, verdict: 2 } as const;
export const NFTA_VERDICT = { code: 1, chain: 2 } as const;
export const NFTA_IMMEDIATE = { dreg: 1, data: 2 } as const;
export const NFTA_PAYLOAD = { dreg: 1, base: 2, offset: 3, len: 4 } as const;
export const NFTA_META = { dreg: 1, key: 2, sreg: 3 } as const;
export const NFTA_CT = { dreg: 1, key: 2, direction: 3, sreg: 4 } as const;
export const NFTA_FIB = { dreg: 1, result: 2, flags: 3 } as const;
export const NFTA_CMP = { sreg: 1, op: 2, data: 3 } as const;
export const CMP_OPS = ['==', '!=', '<', '<=', '>', '>='] as const;
export const NFTA_RANGE = { sreg: 1, op: 2, from: 3, to: 4 } as const;
export const NFTA_BITWISE = { sreg: 1, dreg: 2, len: 3, mask: 4, xor: 5, op: 6 } as const;
export const NFTA_BYTEORDER = { sreg: 1, dreg: 2, op: 3, len: 4, size: 5 } as const;
export const NFTA_LOOKUP = { set: 1, sreg: 2, dreg: 3, setId: 4, flags: 5 } as const;
export const NFTA_COUNTER = { bytes: 1, packets: 2 } as const;
export const NFTA_OBJREF = { immType: 1, immName: 2 } as const;
export const NFTA_LOG = { group: 1, prefix: 2 } as const;
export const NFTA_LIMIT = { rate: 1, unit: 2, burst: 3, type: 4, flags: 5 } as const;
export const NFTA_REJECT = { type: 1, code: 2 } as const;
export const NFTA_NAT = { type: 1, family: 2, addrMin: 3, protoMin: 5, flags: 7 } as const;
export const NF_NAT_RANGE_PROTO_SPECIFIED = 2;
export const NFTA_MASQ = { flags: 1 } as const;
export const MASQ_FLAG = { random: 4, 'fully-random': 16, persistent: 8 } as const;

/** Types of userdata entries; nft(8) keeps there what the kernel has no field for (libnftnl/udata.h). */
export const UDATA = { ruleComment: 0, setKeyByteorder: 0, setDataByteorder: 1, elemFlags: 1 } as const;
export const UDATA_BYTEORDER = { none: 0, host: 1, big: 2 } as const;
/** An interval without an end element (SET_ELEM_F_INTERVAL_OPEN). */
export const UDATA_ELEM_INTERVAL_OPEN = 1;

/** Verdict codes as the kernel stores them (uapi netfilter.h NF_*, nf_tables.h NFT_*). */
export const VERDICT_CODE = { drop: 0, accept: 1, continue: -1, jump: -3, goto: -4, return: -5 } as const;
