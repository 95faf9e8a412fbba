import type { FuzzTarget } from '../target.js';
import { config } from './config.js';
import { control } from './control.js';
import { netlink } from './netlink.js';
import { receiver } from './receiver.js';
import { stream } from './stream.js';
import { wire } from './wire.js';

/** All that takes bytes from outside. */
export const TARGETS: readonly FuzzTarget[] = [wire, receiver, netlink, config, control, stream];
