// A BGP community as Calico writes it: `64512:100` (RFC 1997) or `64512:1:2` (RFC 8092).
import { z } from 'zod';

const EXPECTED = 'expected AA:NN of two numbers up to 65535, or AA:NN:MM of three up to 4294967295';

/** Whether a text is a community's value, and not a name for one. */
export function isCommunity(text: string): boolean {
  if (!/^\d{1,10}(:\d{1,10}){1,2}$/.test(text)) return false;
  const parts = text.split(':').map(Number);
  return parts.every((part) => part <= (parts.length === 2 ? 0xffff : 0xffff_ffff));
}

export const communitySchema = z.string().check((context) => {
  if (isCommunity(context.value)) return;
  const message = `"${context.value}" is not a community, ${EXPECTED}`;
  context.issues.push({ code: 'custom', message, input: context.value });
});
