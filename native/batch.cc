// Many datagrams per system call, straight into and out of memory of the caller.
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "addon.h"

namespace conntrackd {
namespace {

// Some 40 KiB per thread. More per call would gain nothing: at 512 the system call is already shared by all.
constexpr size_t kMaxBatch = 512;
// sizeof(struct sockaddr_in6), the longest address of the families used (netinet/in.h).
constexpr size_t kSourceBytes = 28;

thread_local mmsghdr headers[kMaxBatch];
thread_local iovec vectors[kMaxBatch];

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

// arguments: fd, buffer, offsets (Uint32Array), lengths (Uint32Array), first, count, destination (Uint8Array or null)
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
    Prepare(i, buffer.data + offset[i], length[i], destination.data, destination.size);
  }
  int fd = Integer(info, 0);
  return Result(info, Retry([&] { return sendmmsg(fd, headers, count, MSG_DONTWAIT | MSG_NOSIGNAL); }));
}

}  // namespace

void InitBatches(Napi::Env env, Napi::Object exports) {
  exports["receiveBatch"] = Napi::Function::New<ReceiveBatch>(env);
  exports["sendBatch"] = Napi::Function::New<SendBatch>(env);
  exports["maxBatch"] = Napi::Number::New(env, kMaxBatch);
}

}  // namespace conntrackd
