// The benchmarks of the policy engine, in the order of their report.
import type { Bench } from '../types.ts';
import { compute } from './compute.ts';
import { forwarding } from './forwarding.ts';
import { members } from './members.ts';
import { packetEffect } from './packet-effect.ts';
import { wholeTable } from './whole-table.ts';

export const policyBenches: readonly Bench[] = [members, packetEffect, wholeTable, compute, forwarding];
