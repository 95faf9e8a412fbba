// Many datagrams per system call, straight into and out of memory of the caller.
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "addon.h"

namespace conntrackd {
namespace {

// Some 40 KiB per thread. More per call would gain nothing: at 512 the system call is already shared by all.
constexpr size_t kMaxBatch = 512;
// sizeof(struct sockaddr_in6), the longest address of the families used (netinet/in.h).
constexpr size_t kSourceBytes = 28;
// Room for the length of the datagrams that one message is cut into (UDP_SEGMENT, udp(7): a uint16_t).
constexpr size_t kControlBytes = CMSG_SPACE(sizeof(uint16_t));
// A message with all that it is cut into is no longer than one UDP datagram may be (RFC 768), its headers left out.
constexpr size_t kLongestRun = 65000;

thread_local mmsghdr headers[kMaxBatch];
thread_local iovec vectors[kMaxBatch];
alignas(cmsghdr) thread_local uint8_t controls[kMaxBatch][kControlBytes];
thread_local uint16_t runs[kMaxBatch];

void Prepare(size_t index, uint8_t* at, size_t length, uint8_t* address, size_t addressBytes) {
  vectors[index] = iovec{at, length};
  msghdr& header = headers[index].msg_hdr;
  header = msghdr{};
  header.msg_iov = &vectors[index];
  header.msg_iovlen = 1;
  header.msg_name = address;
  header.msg_namelen = addressBytes;
}

// arguments: fd, buffer, slotBytes, slots, lengths (Int32Array), sources (Uint8Array of 28 bytes a slot, or null)
Napi::Value ReceiveBatch(const Napi::CallbackInfo& info) {
  Bytes buffer, lengths, sources;
  if (!ReadBytes(info[1], &buffer) || !ReadBytes(info[4], &lengths) || !ReadBytes(info[5], &sources)) {
    return info.Env().Undefined();
  }
  size_t slotBytes = static_cast<uint32_t>(Integer(info, 2));
  size_t slots = std::min<size_t>(static_cast<uint32_t>(Integer(info, 3)), kMaxBatch);
  if (slotBytes * slots > buffer.size || slots * sizeof(int32_t) > lengths.size ||
      (sources.data != nullptr && slots * kSourceBytes > sources.size)) {
    return OutOfRange(info, "the arrays have no room for that many slots");
  }
  for (size_t i = 0; i < slots; i++) {
    uint8_t* source = sources.data == nullptr ? nullptr : sources.data + i * kSourceBytes;
    Prepare(i, buffer.data + i * slotBytes, slotBytes, source, source == nullptr ? 0 : kSourceBytes);
  }
  // MSG_TRUNC: msg_len is the length before cutting, so that the reader knows what it missed.
  int fd = Integer(info, 0);
  long received = Retry([&] { return recvmmsg(fd, headers, slots, MSG_DONTWAIT | MSG_TRUNC, nullptr); });
  if (received == -EAGAIN) return Result(info, 0);
  auto* out = reinterpret_cast<int32_t*>(lengths.data);
  for (long i = 0; i < received; i++) {
    int32_t length = static_cast<int32_t>(headers[i].msg_len);
    out[i] = (headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0 ? -length : length;
    if (sources.data == nullptr) continue;
    // Whole slots can be compared whatever the family: what the address leaves of its slot is zero.
    size_t used = std::min<size_t>(headers[i].msg_hdr.msg_namelen, kSourceBytes);
    std::memset(sources.data + i * kSourceBytes + used, 0, kSourceBytes - used);
  }
  return Result(info, received);
}

/**
 * How many packets, from the first one on, can leave as one message that the kernel cuts into datagrams again: they lie
 * one behind the other and are of one length, except that the last may be shorter.
 */
size_t RunOf(const uint32_t* offset, const uint32_t* length, size_t most) {
  size_t run = 1;
  size_t bytes = length[0];
  while (run < most && length[run - 1] == length[0] && length[run] <= length[0] && length[run] > 0 &&
         offset[run] == offset[0] + bytes && bytes + length[run] <= kLongestRun) {
    bytes += length[run];
    run++;
  }
  return run;
}

void CutInto(size_t index, uint16_t segmentBytes) {
  msghdr& header = headers[index].msg_hdr;
  header.msg_control = controls[index];
  header.msg_controllen = kControlBytes;
  cmsghdr* control = CMSG_FIRSTHDR(&header);
  *control = cmsghdr{CMSG_LEN(sizeof segmentBytes), SOL_UDP, UDP_SEGMENT};
  std::memcpy(CMSG_DATA(control), &segmentBytes, sizeof segmentBytes);
}

// arguments: fd, buffer, offsets (Uint32Array), lengths (Uint32Array), first, count, destination (Uint8Array or null),
// most packets of equal length that the kernel gets as one message
Napi::Value SendBatch(const Napi::CallbackInfo& info) {
  Bytes buffer, offsets, lengths, destination;
  if (!ReadBytes(info[1], &buffer) || !ReadBytes(info[2], &offsets) || !ReadBytes(info[3], &lengths) ||
      !ReadBytes(info[6], &destination)) {
    return info.Env().Undefined();
  }
  size_t first = static_cast<uint32_t>(Integer(info, 4));
  size_t count = std::min<size_t>(static_cast<uint32_t>(Integer(info, 5)), kMaxBatch);
  if ((first + count) * sizeof(uint32_t) > std::min(offsets.size, lengths.size)) {
    return OutOfRange(info, "the arrays hold fewer packets");
  }
  auto* offset = reinterpret_cast<const uint32_t*>(offsets.data) + first;
  auto* length = reinterpret_cast<const uint32_t*>(lengths.data) + first;
  for (size_t i = 0; i < count; i++) {
    if (static_cast<uint64_t>(offset[i]) + length[i] > buffer.size) return OutOfRange(info, "packet outside of the buffer");
  }
  size_t most = std::max(Integer(info, 7), 1);
  size_t messages = 0;
  for (size_t i = 0; i < count; i += runs[messages++]) {
    size_t run = RunOf(offset + i, length + i, std::min(most, count - i));
    size_t bytes = offset[i + run - 1] + length[i + run - 1] - offset[i];
    Prepare(messages, buffer.data + offset[i], bytes, destination.data, destination.size);
    if (run > 1) CutInto(messages, static_cast<uint16_t>(length[i]));
    runs[messages] = static_cast<uint16_t>(run);
  }
  int fd = Integer(info, 0);
  long sent = Retry([&] { return sendmmsg(fd, headers, messages, MSG_DONTWAIT | MSG_NOSIGNAL); });
  if (sent < 0) return Result(info, sent);
  return Result(info, std::accumulate(runs, runs + sent, 0L));
}

}  // namespace

void InitBatches(Napi::Env env, Napi::Object exports) {
  exports["receiveBatch"] = Napi::Function::New<ReceiveBatch>(env);
  exports["sendBatch"] = Napi::Function::New<SendBatch>(env);
  exports["maxBatch"] = Napi::Number::New(env, kMaxBatch);
}

}  // namespace conntrackd
