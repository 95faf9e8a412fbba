// Many datagrams per system call, straight into and out of memory of the caller.
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "addon.h"
#include "mailbox.h"

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

void Prepare(mmsghdr* header, iovec* vector, uint8_t* at, size_t length, uint8_t* address, size_t addressBytes) {
  *vector = iovec{at, length};
  *header = mmsghdr{};
  header->msg_hdr.msg_iov = vector;
  header->msg_hdr.msg_iovlen = 1;
  header->msg_hdr.msg_name = address;
  header->msg_hdr.msg_namelen = addressBytes;
}

/** What there is to receive into. */
struct Space {
  Bytes buffer, lengths, sources;
  size_t slotBytes = 0;
  size_t count = 0;
};

/** False: an exception is pending. */
bool Check(const Napi::CallbackInfo& info, const Space& space) {
  if (space.slotBytes * space.count <= space.buffer.size && space.count * sizeof(int32_t) <= space.lengths.size &&
      (space.sources.data == nullptr || space.count * kSourceBytes <= space.sources.size)) {
    return true;
  }
  OutOfRange(info, "the arrays have no room for that many slots");
  return false;
}

void Prepare(const Space& space, mmsghdr* header, iovec* vector) {
  for (size_t i = 0; i < space.count; i++) {
    uint8_t* source = space.sources.data == nullptr ? nullptr : space.sources.data + i * kSourceBytes;
    Prepare(header + i, vector + i, space.buffer.data + i * space.slotBytes, space.slotBytes, source,
            source == nullptr ? 0 : kSourceBytes);
  }
}

/** Into prepared headers; they are as prepared again when it returns. */
long Receive(int fd, mmsghdr* header, size_t count, int32_t* lengths, uint8_t* sources) {
  // MSG_TRUNC: msg_len is the length before cutting, so that the reader knows what it missed.
  long received = Retry([&] { return recvmmsg(fd, header, count, MSG_DONTWAIT | MSG_TRUNC, nullptr); });
  if (received == -EAGAIN) return 0;
  for (long i = 0; i < received; i++) {
    auto& message = header[i].msg_hdr;
    int32_t length = static_cast<int32_t>(header[i].msg_len);
    lengths[i] = (message.msg_flags & MSG_TRUNC) != 0 ? -length : length;
    if (sources == nullptr) continue;
    // Whole slots can be compared whatever the family: what the address leaves of its slot is zero.
    size_t used = std::min<size_t>(message.msg_namelen, kSourceBytes);
    std::memset(sources + i * kSourceBytes + used, 0, kSourceBytes - used);
    message.msg_namelen = kSourceBytes;
  }
  return received;
}

// arguments: fd, buffer, slotBytes, slots, lengths (Int32Array), sources (Uint8Array of 28 bytes a slot, or null)
Napi::Value ReceiveBatch(const Napi::CallbackInfo& info) {
  Space space;
  if (!ReadBytes(info[1], &space.buffer) || !ReadBytes(info[4], &space.lengths) ||
      !ReadBytes(info[5], &space.sources)) {
    return info.Env().Undefined();
  }
  space.slotBytes = static_cast<uint32_t>(Integer(info, 2));
  space.count = std::min<size_t>(static_cast<uint32_t>(Integer(info, 3)), kMaxBatch);
  if (!Check(info, space)) return info.Env().Undefined();
  Prepare(space, headers, vectors);
  auto* lengths = reinterpret_cast<int32_t*>(space.lengths.data);
  return Result(info, Receive(Integer(info, 0), headers, space.count, lengths, space.sources.data));
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
    Prepare(headers + messages, vectors + messages, buffer.data + offset[i], bytes, destination.data, destination.size);
    if (run > 1) CutInto(messages, static_cast<uint16_t>(length[i]));
    runs[messages] = static_cast<uint16_t>(run);
  }
  int fd = Integer(info, 0);
  long sent = Retry([&] { return sendmmsg(fd, headers, messages, MSG_DONTWAIT | MSG_NOSIGNAL); });
  if (sent < 0) return Result(info, sent);
  return Result(info, std::accumulate(runs, runs + sent, 0L));
}

}  // namespace

std::unique_ptr<Mailbox> Mailbox::Of(const Napi::CallbackInfo& info) {
  Space space;
  if (!ReadBytes(info[0], &space.buffer) || !ReadBytes(info[2], &space.lengths) ||
      !ReadBytes(info[3], &space.sources)) {
    return nullptr;
  }
  space.slotBytes = static_cast<uint32_t>(Integer(info, 1));
  space.count = std::min(space.lengths.size / sizeof(int32_t), kMaxBatch);
  if (!Check(info, space)) return nullptr;
  auto mailbox = std::make_unique<Mailbox>();
  mailbox->headers_.resize(space.count);
  mailbox->vectors_.resize(space.count);
  Prepare(space, mailbox->headers_.data(), mailbox->vectors_.data());
  mailbox->lengths_ = reinterpret_cast<int32_t*>(space.lengths.data);
  mailbox->sources_ = space.sources.data;
  for (size_t i = 0; i < 3; i++) {
    Napi::Value array = info[i == 0 ? 0 : i + 1];
    if (array.IsObject()) mailbox->held_[i] = Napi::Persistent(array.As<Napi::Object>());
  }
  return mailbox;
}

long Mailbox::Receive(int fd, size_t most) {
  return conntrackd::Receive(fd, headers_.data(), std::min(most, headers_.size()), lengths_, sources_);
}

void InitBatches(Napi::Env env, Napi::Object exports) {
  exports["receiveBatch"] = Napi::Function::New<ReceiveBatch>(env);
  exports["sendBatch"] = Napi::Function::New<SendBatch>(env);
  exports["maxBatch"] = Napi::Number::New(env, kMaxBatch);
}

}  // namespace conntrackd
