import { UnixDatagramSocket } from '../log/datagram.js';

/**
 * What the service manager is told (sd_notify(3)): one datagram of `NAME=value` lines to the socket it names in the
 * environment. Outside systemd, and with `Systemd off`, silent.
 */
export class ServiceManager {
  private readonly socket: UnixDatagramSocket | null;
  private watchdog: NodeJS.Timeout | null = null;

  constructor(enabled: boolean, environment: NodeJS.ProcessEnv) {
    const path = environment.NOTIFY_SOCKET ?? '';
    this.socket = enabled && /^[/@]./.test(path) ? new UnixDatagramSocket(path) : null;
    if (this.socket !== null) this.startWatchdog(environment);
  }

  ready(): void {
    // Going to the background made a new process: the manager may still think of the parent.
    this.notify(`READY=1\nMAINPID=${process.pid}`);
  }

  /**
   * A reload begins; `ready` ends it. With Type=notify-reload systemd itself sends the SIGHUP and takes only a message
   * whose time is not before that (sd_notify(3)).
   */
  reloading(): void {
    // Microseconds of CLOCK_MONOTONIC, which is what Node's hrtime reads on Linux.
    this.notify(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  /** One line for `systemctl status`. */
  status(text: string): void {
    this.notify(`STATUS=${text}`);
  }

  stopping(): void {
    this.notify('STOPPING=1');
  }

  close(): void {
    if (this.watchdog !== null) clearInterval(this.watchdog);
    this.socket?.close();
  }

  /** Twice per WATCHDOG_USEC, as sd_watchdog_enabled(3) advises; a blocked event loop does not get here. */
  private startWatchdog(environment: NodeJS.ProcessEnv): void {
    const microseconds = Number(environment.WATCHDOG_USEC);
    if (!(microseconds > 0)) return;
    this.watchdog = setInterval(() => this.notify('WATCHDOG=1'), microseconds / 2000);
    this.watchdog.unref();
  }

  private notify(text: string): void {
    this.socket?.send(Buffer.from(text));
  }
}
