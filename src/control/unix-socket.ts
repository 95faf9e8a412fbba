import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type ListenOptions, type Server } from 'node:net';

/** Whether somebody accepts connections there. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const settle = (answered: boolean): void => {
      probe.destroy();
      resolve(answered);
    };
    probe.once('connect', () => settle(true));
    // A full backlog (EAGAIN) and a refused permission mean that somebody is there; the rest that nobody is.
    probe.once('error', (error: NodeJS.ErrnoException) => settle(['EAGAIN', 'EACCES'].includes(error.code ?? '')));
  });
}

/**
 * Opens a UNIX socket, in place of a file that a dead daemon left.
 *
 * @param mode of the file
 * @param failure what is thrown, by reason: the path is in use, is no socket, or cannot be bound
 */
export async function listenOnPath(
  server: Server,
  path: string,
  mode: number,
  failure: (reason: string) => Error,
): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined) {
    if (!found.isSocket()) throw failure('the file is no socket; it was left alone');
    if (await isAnswered(path)) throw failure('another process answers on it');
    unlinkSync(path);
  }
  // Nobody who may not is to connect before chmod.
  const previous = process.umask(~mode & 0o777);
  try {
    await listen(server, { path }, failure);
  } finally {
    process.umask(previous);
  }
  // A file system with default ACLs disregards the umask.
  chmodSync(path, mode);
}

/** Resolves when the server listens. @throws what `failure` makes of the reason why not */
export function listen(server: Server, place: ListenOptions, failure: (reason: string) => Error): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(failure(error.message));
    server.once('error', failed);
    server.listen(place, () => {
      server.off('error', failed);
      resolve();
    });
  });
}
