import { swap32, type Views } from '../base/views.js';
import {
  NFGENMSG_BYTES,
  NFNL_MSG_HOOK_GET,
  NFNL_SUBSYS_HOOK,
  NFNLA_HOOK_FUNCTION_NAME,
  NFNLA_HOOK_HOOKNUM,
  NLA_HDRLEN,
  NLA_TYPE_MASK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_HDRLEN,
} from './constants.js';
import { isWhole, lengthOf, NLMSG_ALIGN, subsystemOf, textAt, typeOf } from './message.js';

/**
 * The functions that the kernel calls for each packet (linux/netfilter/nfnetlink_hook.h, Linux 5.14). Reading them tells
 * whether connections are tracked, whoever asked for it: nft, iptables or another. The request is the one that
 * `nft list hooks` sends.
 */

/** Dump of one hook of one family. @param family NFPROTO_ number. @param hook NF_INET_ number. @returns bytes written */
export function encodeHookDumpRequest(out: Views, at: number, family: number, hook: number): number {
  const w = at >>> 2;
  const length = NLMSG_HDRLEN + NFGENMSG_BYTES + 8;
  out.u32[w] = length;
  out.u32[w + 1] = ((NLM_F_REQUEST | NLM_F_DUMP) << 16) | (NFNL_SUBSYS_HOOK << 8) | NFNL_MSG_HOOK_GET;
  out.u32[w + 2] = 0;
  out.u32[w + 3] = 0;
  out.u32[w + 4] = family;
  out.u32[w + 5] = (NFNLA_HOOK_HOOKNUM << 16) | (NLA_HDRLEN + 4);
  out.u32[w + 6] = swap32(hook);
  return length;
}

/** Name of the function of a dumped hook, '' without one; null when the message is another one or malformed. */
export function hookFunctionOf(views: Views, at: number, end: number): string | null {
  if (!isWhole(views, at, end) || subsystemOf(typeOf(views, at)) !== NFNL_SUBSYS_HOOK) return null;
  const stop = at + lengthOf(views, at);
  for (let p = at + NLMSG_HDRLEN + NFGENMSG_BYTES; p + NLA_HDRLEN <= stop; ) {
    const length = views.u16[p >>> 1]!;
    if (length < NLA_HDRLEN || p + length > stop) return null;
    if ((views.u16[(p + 2) >>> 1]! & NLA_TYPE_MASK) === NFNLA_HOOK_FUNCTION_NAME) {
      return textAt(views, p + NLA_HDRLEN, p + length);
    }
    p += NLMSG_ALIGN(length);
  }
  return '';
}
