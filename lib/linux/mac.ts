// Hardware addresses of Ethernet, as text and as bytes. Pure.

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Six hex bytes with colons. @throws RangeError for other text */
export function macToBytes(mac: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) {
    throw new RangeError(`Cannot use MAC address "${mac}": expected six hex bytes with colons`);
  }
  return Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16));
}

export function macFromBytes(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += text === '' ? HEX[byte] : `:${HEX[byte]}`;
  return text;
}
