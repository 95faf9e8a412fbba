// Dumps, batches of requests, memory: the kernel works on another processor while JavaScript handles the pieces before.
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <uv.h>

#include <atomic>
#include <mutex>
#include <vector>

#include "addon.h"
#include "rest.h"

namespace conntrackd {
namespace {

/**
 * As urgent as whoever waits for it, or a busy machine would hold the daemon up here; but one step behind, where there is
 * one: the event loop has others to answer meanwhile, and takes the processor from this thread when it has to.
 */
class Urgency {
 public:
  Urgency() : policy_(sched_getscheduler(0)) {
    sched_getparam(0, &priority_);
    if (priority_.sched_priority > sched_get_priority_min(policy_)) priority_.sched_priority--;
  }

  /** Gives it to this thread. Without the right to: as it is. */
  void Take() const {
    sched_param present{};
    sched_getparam(0, &present);
    if (sched_getscheduler(0) == policy_ && present.sched_priority == priority_.sched_priority) return;
    sched_setscheduler(0, policy_, &priority_);
  }

 private:
  int policy_;
  sched_param priority_{};
};

/** The rests of all threads here, which take turns. A commit of a million flows works for ten seconds. */
class Shifts {
 public:
  /** Does it, and rests when it is time. */
  template <typename Work>
  void Do(Work work) {
    uint64_t begin = uv_hrtime();
    work();
    uint64_t end = uv_hrtime();
    bool due;
    {
      std::lock_guard<std::mutex> guard(mutex_);
      if (begin > last_) rest_.Rested(static_cast<double>(begin - last_) / 1e6);
      rest_.Worked(static_cast<double>(end - begin) / 1e6);
      last_ = end;
      due = rest_.Due();
    }
    // What passes until the next work begins is the rest.
    if (due) {
      rests_++;
      Rest::Take();
    }
  }

  uint32_t Rests() const { return rests_; }

 private:
  std::atomic<uint32_t> rests_{0};
  std::mutex mutex_;
  Rest rest_;
  uint64_t last_ = 0;
};

Shifts shifts;

/**
 * The kernel makes a piece of a dump while the one before is received, in the thread that receives: three quarters of
 * what a dump costs. Here that thread is one of libuv's pool. The memory belongs to JavaScript, which leaves it alone
 * until it is called back.
 */
class ReceiveAhead : public Napi::AsyncWorker {
 public:
  ReceiveAhead(const Napi::CallbackInfo& info, Bytes buffer, Bytes lengths, size_t pieceBytes, size_t pieces)
      : Napi::AsyncWorker(info[5].As<Napi::Function>(), "receiveAhead"),
        fd_(Integer(info, 0)),
        buffer_(buffer),
        lengths_(reinterpret_cast<int32_t*>(lengths.data)),
        pieceBytes_(pieceBytes),
        pieces_(pieces) {
    Receiver().Set("buffer", info[1]);
    Receiver().Set("lengths", info[4]);
  }

  void Execute() override {
    urgency_.Take();
    shifts.Do([this] { Receive(); });
  }

  std::vector<napi_value> GetResult(Napi::Env env) override {
    return {Napi::Number::New(env, static_cast<double>(received_))};
  }

 private:
  void Receive() {
    while (received_ < pieces_) {
      uint8_t* at = buffer_.data + received_ * pieceBytes_;
      long length = Retry([&] { return recv(fd_, at, pieceBytes_, MSG_DONTWAIT); });
      if (length == -EAGAIN) break;
      lengths_[received_++] = static_cast<int32_t>(length);
      if (length <= 0) break;
    }
  }

  int fd_;
  Bytes buffer_;
  int32_t* lengths_;
  size_t pieceBytes_;
  size_t pieces_;
  size_t received_ = 0;
  Urgency urgency_;
};

/**
 * The kernel carries out requests in the thread that sends them: four fifths of what a commit costs. Each piece is a
 * system call, so that whoever needs the processor gets it between two, and JavaScript is called once for all of them:
 * the kernel would wait for it. The memory is left alone as above.
 */
class SendAhead : public Napi::AsyncWorker {
 public:
  SendAhead(const Napi::CallbackInfo& info, Bytes buffer, const uint32_t* ends, size_t pieces)
      : Napi::AsyncWorker(info[4].As<Napi::Function>(), "sendAhead"),
        fd_(Integer(info, 0)),
        buffer_(buffer),
        ends_(ends),
        pieces_(pieces) {
    Receiver().Set("buffer", info[1]);
    Receiver().Set("ends", info[2]);
  }

  void Execute() override {
    urgency_.Take();
    size_t begin = 0;
    while (taken_ < pieces_) {
      size_t end = ends_[taken_];
      shifts.Do([&] { sent_ = Retry([&] { return send(fd_, buffer_.data + begin, end - begin, MSG_NOSIGNAL); }); });
      if (sent_ < 0) return;
      begin = end;
      taken_++;
    }
  }

  std::vector<napi_value> GetResult(Napi::Env env) override {
    return {Napi::Number::New(env, static_cast<double>(taken_)), Napi::Number::New(env, static_cast<double>(sent_))};
  }

 private:
  int fd_;
  Bytes buffer_;
  const uint32_t* ends_;
  size_t pieces_;
  size_t taken_ = 0;
  long sent_ = 0;
  Urgency urgency_;
};

// linux/mman.h since 5.14; an older C library does not name it.
constexpr int kPopulateWrite = 23;

/**
 * Zeroing a huge page takes 0.2 ms; 5 where the system has to clear a place for one first, or a hypervisor has to find the
 * memory. Here nobody waits for it, unless it is needed before it is there: then whoever needs it does the same.
 */
class PopulateAhead : public Napi::AsyncWorker {
 public:
  PopulateAhead(const Napi::CallbackInfo& info, Bytes memory)
      : Napi::AsyncWorker(info.Env(), "populateAhead"),
        memory_(memory),
        held_(Napi::Persistent(info[0].As<Napi::Object>())) {}

  // A kernel that cannot (EINVAL) or has no memory left leaves it to the first access.
  void Execute() override {
    urgency_.Take();
    shifts.Do([this] { madvise(memory_.data, memory_.size, kPopulateWrite); });
  }

 private:
  Bytes memory_;
  Napi::ObjectReference held_;
  Urgency urgency_;
};

// arguments: array (of whole system pages)
Napi::Value StartPopulateAhead(const Napi::CallbackInfo& info) {
  Bytes memory;
  if (!ReadWords(info[0], &memory)) return info.Env().Undefined();
  (new PopulateAhead(info, memory))->Queue();
  return info.Env().Undefined();
}

// arguments: fd, buffer, pieceBytes, pieces, lengths (Int32Array), callback
Napi::Value StartReceiveAhead(const Napi::CallbackInfo& info) {
  Bytes buffer, lengths;
  if (!ReadBytes(info[1], &buffer) || !ReadBytes(info[4], &lengths)) return info.Env().Undefined();
  size_t pieceBytes = static_cast<uint32_t>(Integer(info, 2));
  size_t pieces = static_cast<uint32_t>(Integer(info, 3));
  if (pieceBytes * pieces > buffer.size || pieces * sizeof(int32_t) > lengths.size) {
    return OutOfRange(info, "the arrays have no room for that many pieces");
  }
  if (!info[5].IsFunction()) {
    Napi::TypeError::New(info.Env(), "expected a function").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  // It deletes itself when it has called back.
  (new ReceiveAhead(info, buffer, lengths, pieceBytes, pieces))->Queue();
  return info.Env().Undefined();
}

// arguments: fd, buffer, ends of the pieces (Uint32Array), pieces, callback
Napi::Value StartSendAhead(const Napi::CallbackInfo& info) {
  Bytes buffer, ends;
  if (!ReadBytes(info[1], &buffer) || !ReadBytes(info[2], &ends)) return info.Env().Undefined();
  auto* end = reinterpret_cast<const uint32_t*>(ends.data);
  size_t pieces = static_cast<uint32_t>(Integer(info, 3));
  if (pieces * sizeof(uint32_t) > ends.size) return OutOfRange(info, "the array holds fewer ends");
  size_t last = 0;
  for (size_t piece = 0; piece < pieces; last = end[piece++]) {
    if (end[piece] < last || end[piece] > buffer.size) return OutOfRange(info, "a piece outside of the buffer");
  }
  if (!info[4].IsFunction()) {
    Napi::TypeError::New(info.Env(), "expected a function").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  (new SendAhead(info, buffer, end, pieces))->Queue();
  return info.Env().Undefined();
}

Napi::Value RestsAhead(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), shifts.Rests()); }

}  // namespace

void InitAhead(Napi::Env env, Napi::Object exports) {
  exports["receiveAhead"] = Napi::Function::New(env, StartReceiveAhead, "receiveAhead");
  exports["populateAhead"] = Napi::Function::New(env, StartPopulateAhead, "populateAhead");
  exports["sendAhead"] = Napi::Function::New(env, StartSendAhead, "sendAhead");
  exports["restsAhead"] = Napi::Function::New(env, RestsAhead, "restsAhead");
}

}  // namespace conntrackd
