// The benchmarks of CNI, in the order of their report.
import type { Bench } from '../types.ts';
import { latency } from './latency.ts';
import { throughput } from './throughput.ts';
import { work } from './work.ts';

export const cniBenches: readonly Bench[] = [latency, throughput, work];
