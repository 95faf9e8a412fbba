import { BLOCK_TITLES, type BlockName, clausesOf } from '../../grammar/clauses.js';
import { formatAddress } from './addresses.js';
import type {
  ChannelConfig,
  Config,
  FilterAction,
  FilterConfig,
  GeneralConfig,
  HelperConfig,
  SyncConfig,
} from './model.js';

/**
 * The configuration as a conntrackd.conf with every default written out. It parses again to the same configuration,
 * save that what was assumed (the mode, say) is then given.
 */
export function printConfig(config: Config): string {
  const blocks = [
    general(config.general),
    config.sync === null ? [] : sync(config.sync),
    config.stats === null ? [] : braced('Stats', scalars('stats', config.stats)),
    config.helper === null ? [] : helper(config.helper),
  ];
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n');
}

type Values = Readonly<Record<string, unknown>>;

/** A line per clause of a block that holds a value. Where there is none the clause stands in a comment. */
function scalars(block: BlockName, values: object): string[] {
  const clauses = [...new Set(clausesOf(block).values())].filter(({ key }) => key !== undefined && key in values);
  return clauses.map((clause) => {
    const text = valueText((values as Values)[clause.key!], clause.default !== undefined);
    return text === null ? `# ${clause.name} is not set` : `${clause.name} ${text}`;
  });
}

/** A value as a file has it, null when there is none. @param hasOff a value that is absent is written `off` */
export function valueText(value: unknown, hasOff: boolean): string | null {
  if (value === null || value === undefined) return hasOff ? 'off' : null;
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return value instanceof Uint8Array ? formatAddress(value) : String(value);
}

function braced(head: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [`${head} {`, '}'] : [`${head} {`, ...lines.map((line) => `\t${line}`), '}'];
}

function general(values: GeneralConfig): string[] {
  const { scheduler } = values;
  return braced('General', [
    ...scalars('general', values),
    ...braced('UNIX', scalars('unix', values)),
    ...(values.metricsPath === null && values.metricsPort === null
      ? []
      : braced('Metrics', scalars('metrics', values))),
    ...braced(
      'Scheduler',
      scalars('scheduler', { schedulerPolicy: scheduler.policy, schedulerPriority: scheduler.priority }),
    ),
    ...(values.filter === null ? [] : filter(values.filter)),
  ]);
}

/** The Filter block as a file has it. */
export function filterText(config: FilterConfig): string {
  return filter(config).join('\n');
}

function filter({ from, protocols, addresses, states }: FilterConfig): string[] {
  const networks = addresses?.networks.map(({ address, prefixLength }) => {
    const isWhole = prefixLength === address.length * 8;
    const name = address.length === 4 ? 'IPv4_address' : 'IPv6_address';
    return `${name} ${formatAddress(address)}${isWhole ? '' : `/${prefixLength}`}`;
  });
  const stateList = states === null || states.tcp.length === 0 ? [] : [`${states.tcp.join(' ')} for TCP`];
  return braced(`Filter From ${from === 'userspace' ? 'Userspace' : 'Kernelspace'}`, [
    ...(protocols === null ? [] : braced(`Protocol ${actionText(protocols.action)}`, protocols.names)),
    ...(addresses === null ? [] : braced(`Address ${actionText(addresses.action)}`, networks!)),
    ...(states === null ? [] : braced(`State ${actionText(states.action)}`, stateList)),
  ]);
}

function actionText(action: FilterAction): string {
  return action === 'accept' ? 'Accept' : 'Ignore';
}

function sync(values: SyncConfig): string[] {
  const { mode, options } = values;
  return braced('Sync', [
    ...braced(BLOCK_TITLES[mode.kind], scalars(mode.kind, { ...values, ...mode })),
    ...values.channels.flatMap(link),
    ...scalars('sync', roles(values)),
    ...braced('Options', [
      `TCPWindowTracking ${valueText(options.tcpWindowTracking, true)}`,
      ...expectations(options.expectations),
    ]),
  ]);
}

/** The values that have to do with roles. */
export function roles({ notifyFifo, notifyInstance, takeoverHold }: SyncConfig): object {
  return { notifyFifo, notifyInstance, takeoverHold };
}

function expectations(helpers: readonly string[] | null): string[] {
  if (helpers === null || helpers.length === 0) return [`ExpectationSync ${expectationsText(helpers)}`];
  return braced('ExpectationSync', helpers);
}

/** What `ExpectationSync` is followed by, on one line. */
export function expectationsText(helpers: readonly string[] | null): string {
  if (helpers === null) return 'off';
  return helpers.length === 0 ? 'on' : helpers.join(' ');
}

function link(channel: ChannelConfig): string[] {
  const { kind, family, localAddress, peerAddress } = channel;
  const suffix = family === 'ipv4' ? 'Ipv4' : 'Ipv6';
  const addresses = { [`local${suffix}`]: localAddress, [`peer${suffix}`]: peerAddress };
  const head = channel.isDefault ? `${BLOCK_TITLES[kind]} Default` : BLOCK_TITLES[kind];
  return braced(head, scalars(kind, { ...channel, ...addresses }));
}

function helper({ setup, types }: HelperConfig): string[] {
  return braced('Helper', [
    `Setup ${valueText(setup, true)}`,
    ...types.flatMap((type) =>
      braced(`Type ${type.name} ${type.family} ${type.transport}`, [
        ...scalars('helperType', { queueNumber: type.queueNumber, queueLength: type.queueLength }),
        ...braced(`Policy ${type.name}`, scalars('policy', type)),
      ]),
    ),
  ]);
}
