import { afterEach, describe, expect, it, vi } from 'vitest';
import { SystemError } from '../../../src/base/errors.js';
import { silentLogger } from '../../../src/base/logger.js';
import { endpoint, sizeBuffer } from '../../../src/channel/sockets.js';
import * as native from '../../../src/native/index.js';
import { formatSocketAddress } from '../../../src/native/sockaddr.js';

vi.mock('../../../src/native/index.js', async (original) => {
  const actual = await original<typeof native>();
  return { ...actual, setOption: vi.fn(actual.setOption) };
});
afterEach(() => vi.mocked(native.setOption).mockReset());

function withSocket(use: (fd: number) => void): void {
  const fd = native.openSocket(native.AF_INET, native.SOCK_DGRAM, 0);
  try {
    use(fd);
  } finally {
    native.closeSocket(fd);
  }
}

/** A kernel that permits no buffers beyond the system's limit. */
async function unprivileged(): Promise<void> {
  const actual = await vi.importActual<typeof native>('../../../src/native/index.js');
  vi.mocked(native.setOption).mockImplementation((fd, level, option, value) => {
    if (option === native.SO_SNDBUFFORCE || option === native.SO_RCVBUFFORCE) {
      throw new SystemError('setsockopt', native.EPERM, 'EPERM', 'Operation not permitted', 'SO_RCVBUFFORCE');
    }
    actual.setOption(fd, level, option, value);
  });
}

describe('socket buffers', () => {
  it('without the privilege go up to the limit of the system, with a warning', async () => {
    await unprivileged();
    const warnings: string[] = [];
    withSocket((fd) => {
      const log = { ...silentLogger, warning: (text: string) => warnings.push(text) };
      expect(sizeBuffer(fd, 'receive', 10_000, log)).toBe(20_000);
    });
    expect(warnings).toEqual([
      'RcvSocketBuffer 10000 needs CAP_NET_ADMIN; without it net.core.rmem_max is the limit, now 10000 bytes',
    ]);
  });

  it('are left alone when nothing is configured', () => {
    withSocket((fd) => {
      const before = native.getOption(fd, native.SOL_SOCKET, native.SO_SNDBUF);
      expect(sizeBuffer(fd, 'send', null, silentLogger)).toBe(before);
    });
    expect(native.setOption).not.toHaveBeenCalled();
  });

  it('other errors are errors', () => {
    vi.mocked(native.setOption).mockImplementation(() => {
      throw new SystemError('setsockopt', native.EBADF, 'EBADF', 'Bad file descriptor', 'SO_SNDBUFFORCE');
    });
    withSocket((fd) => expect(() => sizeBuffer(fd, 'send', 1, silentLogger)).toThrow(SystemError));
  });
});

describe('endpoints', () => {
  const v6 = (...first: number[]) => Uint8Array.from({ length: 16 }, (_, index) => first[index] ?? 0);

  it.each([
    ['IPv4', Uint8Array.of(10, 0, 0, 1), '10.0.0.1:3780'],
    ['global', v6(0xfd, 0x77), '[fd77::]:3780'],
    ['link-local', v6(0xfe, 0xbf), '[febf::%7]:3780'],
    ['site-local', v6(0xfe, 0xc0), '[fec0::]:3780'],
    ['link-local group', v6(0xff, 0x12), '[ff12::%7]:3780'],
    ['site-local group', v6(0xff, 0x05), '[ff05::]:3780'],
  ])('%s: a scope only where the kernel wants one', (_, address, text) => {
    expect(formatSocketAddress(endpoint(address, 3780, 7))).toBe(text);
  });
});
