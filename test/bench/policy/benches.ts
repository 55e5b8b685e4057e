// The benchmarks of the policy engine, in the order of their report.
import type { Bench } from '../types.ts';

import { members } from './members.ts';

export const policyBenches: readonly Bench[] = [members];
