/** What a client request says when it fails. The native client says the same (native/launcher/table.h). */
export const MESSAGES = {
  notReached: "can't connect: is conntrackd running? appropriate permissions?",
  broken: 'the connection to conntrackd broke off',
  silent: 'conntrackd is there and does not answer',
  /** An original, or one that is older than the request. */
  foreign: 'the daemon that answers is none that knows this request',
  /** Followed by the path and a closing quote. */
  noConfig: "can't open config file `",
  /** The daemon answered a change of roles with nothing. */
  noRoles: 'no answer about the role: the daemon has ended, is not in synchronisation mode, or is one without --role',
} as const;
