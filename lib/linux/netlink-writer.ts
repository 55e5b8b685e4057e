// Writes a netlink payload into one buffer that is used again and again: for messages that are sent by the thousand,
// where an array for each attribute would cost more than the kernel's work.
import { type Ip, ipFamily, ipToBytes, ipv4ToNumber } from '../ip.ts';
import { align } from './netlink-message.ts';

export type NetlinkWriter = {
  readonly u8: (value: number) => void;
  readonly u16: (value: number) => void;
  readonly u32: (value: number) => void;
  /** In network byte order. */
  readonly ip: (ip: Ip) => void;
  /** Begins an attribute; what `end` gets. */
  readonly begin: (type: number) => number;
  /** Closes the attribute or structure that began at `at`: writes its length and pads. */
  readonly end: (at: number) => void;
  /** Where the next byte goes. */
  readonly position: () => number;
  /** What was written, as bytes of its own; the writer is empty then. */
  readonly take: () => Uint8Array;
};

const FIRST_BYTES = 4096;

export function createNetlinkWriter(): NetlinkWriter {
  let bytes = new Uint8Array(FIRST_BYTES);
  let view = new DataView(bytes.buffer);
  let at = 0;
  const room = (length: number): number => {
    const from = at;
    at += length;
    if (at > bytes.length) {
      const larger = new Uint8Array(2 * at);
      larger.set(bytes);
      bytes = larger;
      view = new DataView(larger.buffer);
    }
    return from;
  };
  const u16 = (value: number): void => view.setUint16(room(2), value, LITTLE_ENDIAN);
  return {
    u8: (value) => view.setUint8(room(1), value),
    u16,
    u32: (value) => view.setUint32(room(4), value, LITTLE_ENDIAN),
    ip: (ip) => {
      if (ipFamily(ip) === 4) view.setUint32(room(4), ipv4ToNumber(ip));
      else bytes.set(ipToBytes(ip), room(16));
    },
    begin: (type) => {
      const from = at;
      u16(0);
      u16(type);
      return from;
    },
    end: (from) => {
      view.setUint16(from, at - from, LITTLE_ENDIAN);
      for (let padding = align(at) - at; padding > 0; padding--) view.setUint8(room(1), 0);
    },
    position: () => at,
    take: () => {
      const written = bytes.slice(0, at);
      at = 0;
      return written;
    },
  };
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
