import { mkdirSync } from 'node:fs';
import type { CommandResult } from './command.js';
import { type Implementation, ours } from './implementation.js';
import { Machine } from './machine.js';
import { type CommandStep, isAsShown, type ManualStep } from './manual-blocks.js';
import { connect } from './namespace.js';
import { eventually } from './waiting.js';

/** Output that the manual shows has to come within this time: a reader looks again. */
const LOOK_MS = 20_000;

/** The networks of the manual's picture, each with the host in it. */
const NETWORKS = [
  { device: 'eth0', host: 'server', prefix: '192.0.2' },
  { device: 'eth1', host: 'client', prefix: '10.0.0' },
] as const;
const LINK = { device: 'eth2', prefix: '192.168.100' } as const;
const HOST = 100;
const VIRTUAL = 1;
/** Own addresses of node 1 and node 2 outside and inside. */
const OWN = [2, 3] as const;

/** What the manual writes outside the directories that a machine has for itself anyway. */
const OWN_PATHS = ['/etc/nftables.conf', '/etc/sysctl.d'];
const HOME = '/root';

/**
 * Puts each of the paths after the root in place where the machine has it, then types the command at home. What it
 * prints goes into files, as a terminal takes it: a command left in the background would hold a pipe open.
 */
const TYPE = `root=$1 command=$2; shift 2
for path; do [ ! -e "$root$path" ] || mount --bind "$root$path" "$path" || exit 125; done
cd "$root${HOME}" && exec bash -c "$command" > "$root/stdout" 2> "$root/stderr"`;

/**
 * What the manual assumes: two computers with the packages installed and their cables plugged in, a host on either
 * side. Everything else the reader does.
 */
export class ManualLab {
  private readonly machines = new Map<string, Machine>();

  /** @param implementation the conntrackd that both nodes begin with */
  constructor(implementation: Implementation = ours) {
    for (const name of ['node1', 'node2', 'client', 'server']) this.machines.set(name, new Machine(name));
    for (const node of this.nodes) {
      node.install(implementation);
      node.installScript();
    }
    for (const machine of this.machines.values()) mkdirSync(machine.path(HOME));
    for (const network of NETWORKS) this.attach(network);
    const [one, two] = this.nodes;
    connect(one.namespace, LINK.device, two.namespace, LINK.device);
    this.nodes.forEach(({ namespace }, index) => {
      namespace.ip('addr', 'add', `${LINK.prefix}.${index + 1}/24`, 'dev', LINK.device);
    });
  }

  private get nodes(): readonly [Machine, Machine] {
    return [this.machine('node1'), this.machine('node2')];
  }

  machine(name: string): Machine {
    const machine = this.machines.get(name);
    if (machine === undefined) throw new Error(`no node is called ${name}`);
    return machine;
  }

  /** A host, and by its bridge both nodes, on one network. */
  private attach({ device, host, prefix }: (typeof NETWORKS)[number]): void {
    const { namespace } = this.machine(host);
    namespace.ip('link', 'add', 'net0', 'type', 'bridge');
    namespace.ip('link', 'set', 'net0', 'up');
    namespace.ip('addr', 'add', `${prefix}.${HOST}/24`, 'dev', 'net0');
    this.nodes.forEach((node, index) => {
      const port = `port${index + 1}`;
      connect(node.namespace, device, namespace, port);
      namespace.ip('link', 'set', port, 'master', 'net0');
      node.namespace.ip('addr', 'add', `${prefix}.${OWN[index]}/24`, 'dev', device);
    });
    namespace.ip('route', 'add', 'default', 'via', `${prefix}.${VIRTUAL}`);
  }

  /** Does what a step says on each of its nodes. @throws Error naming the line when it does not go as the manual shows */
  async follow(step: ManualStep): Promise<void> {
    for (const name of step.nodes) {
      if (step.kind === 'file') this.machine(name).write(step.path, step.text);
      else await this.type(name, step);
    }
  }

  private async type(name: string, step: CommandStep): Promise<void> {
    const what = `line ${step.line}, on ${name}: ${step.command}`;
    let result = this.execute(name, step.command);
    const fits = (): boolean =>
      result.status === 0 && (step.expected.length === 0 || isAsShown(step.expected, result.stdout));
    const again = (): boolean => {
      if (!fits()) result = this.execute(name, step.command);
      return fits();
    };
    // A command that only acts is typed once.
    if (fits()) return;
    if (step.expected.length > 0) {
      await eventually(again, { withinMs: LOOK_MS, everyMs: 300, what }).catch(() => undefined);
    }
    if (!fits()) throw new Error(`${what}\nstatus ${result.status}\n${result.stdout}${result.stderr}`);
  }

  /** A command as a shell of that computer runs it, in its own home directory. */
  execute(name: string, command: string): CommandResult {
    const machine = this.machine(name);
    const { status } = machine.attempt(['bash', '-c', TYPE, 'bash', machine.path('/'), command, ...OWN_PATHS]);
    return { status, stdout: machine.read('/stdout'), stderr: machine.read('/stderr') };
  }

  remove(): void {
    for (const machine of this.machines.values()) machine.remove();
  }
}
