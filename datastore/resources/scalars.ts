// Field types that many kinds share: addresses, CIDRs, ports and AS numbers, branded by the schema.
import { z } from 'zod';
import type { Brand } from '../../lib/brand.ts';
import { type Cidr, cidrOf, parseCidr } from '../../lib/cidr.ts';
import { familyBits, type Ip, ipFamily, parseIp } from '../../lib/ip.ts';
import { parseSelector } from '../../lib/selector/parse-selector.ts';

/** An autonomous system number, 1 to 4294967295 (RFC 6793; 0 is reserved by RFC 7607). */
export type Asn = Brand<number, 'Asn'>;

export const ipSchema = z.string().transform((text, context): Ip => {
  const parsed = parseIp(text);
  if (parsed.ok) return parsed.value;
  context.addIssue(parsed.error);
  return z.NEVER;
});

export const cidrSchema = z.string().transform((text, context): Cidr => {
  const parsed = parseCidr(text);
  if (parsed.ok) return parsed.value;
  context.addIssue(parsed.error);
  return z.NEVER;
});

/** A range, or one address for a range of its own, as Calico writes both in one list. */
export const rangeSchema = z.string().transform((text, context): Cidr => {
  const ip = parseIp(text);
  if (ip.ok) return cidrOf(ip.value, familyBits(ipFamily(ip.value)));
  const parsed = parseCidr(text);
  if (parsed.ok) return parsed.value;
  context.addIssue(`Cannot parse range "${text}": expected ADDRESS or ADDRESS/LENGTH`);
  return z.NEVER;
});

/** A selector in Calico's grammar; stays text, as its user wrote it. */
export const selectorSchema = z.string().check((context) => {
  const parsed = parseSelector(context.value);
  if (!parsed.ok) context.issues.push({ code: 'custom', message: parsed.error, input: context.value });
});

/** A transport port, 1 to 65535. */
export const portSchema = z.int().min(1, 'expected 1 to 65535').max(65535, 'expected 1 to 65535');

/** IANA service name, as the API server takes it for a port (RFC 6335 section 5.1, and lower case only). */
export const portNameSchema = z
  .string()
  .max(15)
  .regex(/^(?=.*[a-z])(?!.*--)[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'expected a port name: lower case letters, digits, "-"');

export const protocolSchema = z.enum(['TCP', 'UDP', 'SCTP']);
export type Protocol = z.output<typeof protocolSchema>;

/** Plain (`65546`) or dotted (`"1.10"`) notation, as Calico writes it. */
export const asnSchema = z.union([z.int(), z.string()]).transform((value, context): Asn => {
  const number = typeof value === 'number' ? value : asnOfText(value);
  if (number >= 1 && number <= 0xffff_ffff) return number as Asn;
  context.addIssue(
    `Cannot parse AS number "${value}": out of range or malformed, expected 1 to 4294967295 or dotted HIGH.LOW`,
  );
  return z.NEVER;
});

function asnOfText(text: string): number {
  const match = /^(?:(\d{1,5})\.)?(\d{1,10})$/.exec(text);
  if (match === null) return Number.NaN;
  const high = Number(match[1] ?? 0);
  const low = Number(match[2]);
  return match[1] !== undefined && (high > 65535 || low > 65535) ? Number.NaN : high * 65536 + low;
}
