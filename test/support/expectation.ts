import { type Expectation, type ExpectationTuple, makeTuple, TUPLE_WORDS } from '../../src/flow/expectation.js';
import { AF_INET, IPPROTO_TCP, ORIG_DST, ORIG_L4, ORIG_SRC } from '../../src/flow/layout.js';
import { tcpFlow } from './tcp-flow.js';

function tuple(source: number, destination: number, ports: number): ExpectationTuple {
  const made = makeTuple(AF_INET, IPPROTO_TCP);
  made.words[0] = source;
  made.words[4] = destination;
  made.words[TUPLE_WORDS - 1] = ports;
  return made;
}

/** An expectation of FTP whose master is `tcpFlow({ number: master })`. */
export function expectationOf(master: number, port: number, more: Partial<Expectation> = {}): Expectation {
  const { words } = tcpFlow({ number: master });
  return {
    master: tuple(words[ORIG_SRC]!, words[ORIG_DST]!, words[ORIG_L4]!),
    expected: tuple(words[ORIG_SRC]!, words[ORIG_DST]!, (port << 16) >>> 0),
    mask: tuple(0xffffffff, 0xffffffff, 0xffff0000),
    timeout: 300,
    flags: 0,
    class: 0,
    zone: 0,
    nat: null,
    helper: 'ftp',
    functionName: '',
    ...more,
  };
}
