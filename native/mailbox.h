#pragma once

#include <sys/socket.h>

#include <memory>
#include <vector>

#include "addon.h"

namespace conntrackd {

/**
 * Memory of JavaScript that datagrams are received into, with what recvmmsg has to be told of it: told once, not with
 * each call. Of a few events a wake-up, looking at the arguments and filling in a hundred headers took nearly as long as the
 * system call.
 */
class Mailbox {
 public:
  /** Arguments: buffer, slotBytes, lengths (Int32Array, one a slot), sources (Uint8Array of 28 bytes a slot, or null). Null: an exception is pending. */
  static std::unique_ptr<Mailbox> Of(const Napi::CallbackInfo& info);

  /** At most `most` datagrams. Gives their number, 0 when nothing is there, or -errno. */
  long Receive(int fd, size_t most);

  size_t Slots() const { return headers_.size(); }

 private:
  std::vector<mmsghdr> headers_;
  std::vector<iovec> vectors_;
  int32_t* lengths_ = nullptr;
  uint8_t* sources_ = nullptr;
  /** Buffer, lengths and sources: as long as they are held the addresses stay. */
  Napi::ObjectReference held_[3];
};

}  // namespace conntrackd
