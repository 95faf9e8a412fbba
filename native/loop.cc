// How long the event loop's turns take, its rests, and turns that spare themselves most of libuv's.
#include <sys/epoll.h>
#include <uv.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "addon.h"
#include "poll.h"
#include "rest.h"

namespace conntrackd {
namespace {

/** What a turn's length is counted in; src/base/histogram.ts has the same. */
constexpr uint64_t kUnitNanoseconds = 100;

/**
 * Turns in which only our own descriptors were ready and only they are served (`ServeAlone`), before the loop does all
 * that it does in a turn.
 */
constexpr int kOwnTurns = 64;
/** Descriptors a turn looks at; when as many are ready there may be others. */
constexpr int kMostReady = 16;

/** Powers of two, each in four: as `bucketOf` in src/base/histogram.ts. */
size_t BucketOf(uint64_t units) {
  if (units < 4) return units;
  unsigned exponent = 63 - __builtin_clzll(units);
  return (exponent - 1) * 4 + ((units >> (exponent - 2)) & 3);
}

/** Durations, counted in arrays that belong to JavaScript (DurationHistogram), which reads them at any time. */
class Tally {
 public:
  Tally(Napi::Uint32Array counts, Napi::Float64Array longest)
      : counts_held_(Napi::Persistent(counts)),
        longest_held_(Napi::Persistent(longest)),
        counts_(counts.Data()),
        buckets_(counts.ElementLength()),
        longest_(longest.Data()),
        maxima_(longest.ElementLength()) {}

  void Count(uint64_t nanoseconds) {
    counts_[std::min(BucketOf(nanoseconds / kUnitNanoseconds), buckets_ - 1)]++;
    double milliseconds = static_cast<double>(nanoseconds) / 1e6;
    for (size_t i = 0; i < maxima_; i++) longest_[i] = std::max(longest_[i], milliseconds);
  }

 private:
  Napi::Reference<Napi::Uint32Array> counts_held_;
  Napi::Reference<Napi::Float64Array> longest_held_;
  uint32_t* counts_;
  size_t buckets_;
  double* longest_;
  size_t maxima_;
};

/**
 * How much of a turn this thread worked; the rest it waited for a processor, or for the kernel. Its CPU clock takes a system call
 * of a microsecond, which at 5,000 turns a second would be a tenth of their cost. So it is read every kApart at
 * most; shorter turns count as work, and what the short ones before a long one took is taken off.
 */
class OwnWork {
 public:
  /** Of the turn that ends now. @param busy nanoseconds of it in which it did not wait for something to do */
  uint64_t Of(uint64_t busy, uint64_t now) {
    if (now - read_at_ < kApart) {
      before_ += busy;
      return busy;
    }
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    uint64_t cpu = static_cast<uint64_t>(time.tv_sec) * 1000000000 + static_cast<uint64_t>(time.tv_nsec);
    uint64_t worked = cpu - cpu_ > before_ ? cpu - cpu_ - before_ : 0;
    cpu_ = cpu;
    read_at_ = now;
    before_ = 0;
    return busy < kApart ? busy : std::min(busy, worked);
  }

 private:
  /** Nanoseconds: the scheduler's tick at 250 Hz. */
  static constexpr uint64_t kApart = 4 * 1000 * 1000;
  uint64_t cpu_ = 0;
  uint64_t read_at_ = 0;
  /** What turns took since the clock was read. */
  uint64_t before_ = 0;
};

/**
 * Measures each turn from one call of the prepare handle (right before the loop waits) to the next, less the time it
 * waited. No timer: an idle process is not woken by it.
 */
struct Meter {
  uv_prepare_t prepare;
  Napi::Env env;
  Tally turns;
  Tally work;
  OwnWork own;
  uint64_t last_time;
  uint64_t last_idle;
  Rest rest;
  napi_async_cleanup_hook_handle hook = nullptr;

  explicit Meter(const Napi::CallbackInfo& info)
      : env(info.Env()),
        turns(info[0].As<Napi::Uint32Array>(), info[1].As<Napi::Float64Array>()),
        work(info[2].As<Napi::Uint32Array>(), info[3].As<Napi::Float64Array>()) {}
};

/** Rests when it is time. */
void Breathe(Meter* meter, double worked, double waited) {
  meter->rest.Worked(worked);
  meter->rest.Rested(waited);
  if (!meter->rest.Due()) return;
  Rest::Take();
  uint64_t now = uv_hrtime();
  meter->rest.Rested(static_cast<double>(now - meter->last_time) / 1e6);
  meter->last_time = now;
}

/** A turn is over. @param waited nanoseconds of it in which there was nothing to do */
void CountTurn(Meter* meter, uint64_t waited) {
  uint64_t now = uv_hrtime();
  uint64_t elapsed = now - meter->last_time;
  meter->last_time = now;
  uint64_t busy = elapsed > waited ? elapsed - waited : 0;
  uint64_t worked = meter->own.Of(busy, now);
  meter->turns.Count(busy);
  meter->work.Count(worked);
  Breathe(meter, static_cast<double>(worked) / 1e6, static_cast<double>(waited) / 1e6);
}

/**
 * Waits in the loop's stead, and serves what is ready, as long as nothing but our own polls is.
 *
 * A turn of the loop costs more than the two calls it is about: libuv calls epoll twice to tell waiting from working,
 * and node looks for immediates and makes an object to do so. At 5,000 events a second that is a tenth of all.
 * epoll reports what is ready as long as it is (libuv's watches are level-triggered), so whatever else is found here
 * libuv finds, too. uv_backend_timeout() is 0 whenever the loop itself has something to do: immediates, a timer that is due,
 * handles to close, watches not yet handed to epoll.
 */
void ServeAlone(Meter* meter) {
  uv_loop_t* loop = meter->prepare.loop;
  for (int turn = 0; turn < kOwnTurns; turn++) {
    int timeout = uv_backend_timeout(loop);
    if (timeout == 0) return;
    epoll_event ready[kMostReady];
    int count = epoll_wait(uv_backend_fd(loop), ready, kMostReady, timeout);
    uv_update_time(loop);
    uint64_t waited = uv_hrtime() - meter->last_time;
    bool alone = count > 0 && count < kMostReady;
    for (int i = 0; i < count; i++) {
      // libuv keeps the descriptor there (uv__io_poll); a number that is none of ours is left to it.
      if (!ServePoll(ready[i].data.fd, ready[i].events)) alone = false;
    }
    CountTurn(meter, waited);
    if (!alone) return;
  }
}

void OnPrepare(uv_prepare_t* prepare) {
  auto* meter = static_cast<Meter*>(prepare->data);
  uint64_t idle = uv_metrics_idle_time(prepare->loop);
  uint64_t waited = idle - meter->last_idle;
  meter->last_idle = idle;
  CountTurn(meter, waited);
  ServeAlone(meter);
}

void CloseAtExit(napi_async_cleanup_hook_handle, void* data) {
  auto* meter = static_cast<Meter*>(data);
  uv_close(reinterpret_cast<uv_handle_t*>(&meter->prepare), [](uv_handle_t* closed) {
    auto* meter = static_cast<Meter*>(closed->data);
    Napi::HandleScope scope(meter->env);
    napi_remove_async_cleanup_hook(meter->hook);
    delete meter;
  });
}

// arguments: of the turns, counts of the buckets (Uint32Array) and longest in milliseconds (Float64Array, all kept up to
// date); then both of what was work in them
Napi::Value MeterLoop(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  for (size_t i = 0; i < 4; i++) {
    if (!info[i].IsTypedArray()) return Result(info, UV_EINVAL);
  }
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  auto meter = std::make_unique<Meter>(info);
  meter->last_time = uv_hrtime();
  meter->last_idle = uv_metrics_idle_time(loop);
  uv_prepare_init(loop, &meter->prepare);
  meter->prepare.data = meter.get();
  napi_add_async_cleanup_hook(env, CloseAtExit, meter.get(), &meter->hook);
  uv_prepare_start(&meter->prepare, OnPrepare);
  uv_unref(reinterpret_cast<uv_handle_t*>(&meter->prepare));
  meter.release();
  return Result(info, 0);
}

}  // namespace

void InitLoop(Napi::Env env, Napi::Object exports) {
  exports["meterLoop"] = Napi::Function::New(env, MeterLoop, "meterLoop");
}

}  // namespace conntrackd
