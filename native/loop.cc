// How long the event loop's turns take, its rests, and turns that spare themselves most of libuv's.
#include <sys/epoll.h>
#include <uv.h>

#include <algorithm>
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

/**
 * Measures each turn from one call of the prepare handle (right before the loop waits) to the next, less the time it
 * waited. No timer: an idle process is not woken by it. The arrays belong to JavaScript, which reads them at any time.
 */
struct Meter {
  uv_prepare_t prepare;
  Napi::Env env;
  Napi::Reference<Napi::Uint32Array> counts_held;
  Napi::Reference<Napi::Float64Array> longest_held;
  uint32_t* counts;
  size_t buckets;
  double* longest;
  size_t maxima;
  uint64_t last_time;
  uint64_t last_idle;
  Rest rest;
  napi_async_cleanup_hook_handle hook = nullptr;

  explicit Meter(Napi::Env environment) : env(environment) {}
};

/** Powers of two, each in four: as `bucketOf` in src/base/histogram.ts. */
size_t BucketOf(uint64_t units) {
  if (units < 4) return units;
  unsigned exponent = 63 - __builtin_clzll(units);
  return (exponent - 1) * 4 + ((units >> (exponent - 2)) & 3);
}

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
  meter->counts[std::min(BucketOf(busy / kUnitNanoseconds), meter->buckets - 1)]++;
  double milliseconds = static_cast<double>(busy) / 1e6;
  for (size_t i = 0; i < meter->maxima; i++) meter->longest[i] = std::max(meter->longest[i], milliseconds);
  Breathe(meter, milliseconds, static_cast<double>(waited) / 1e6);
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

// arguments: counts of the buckets (Uint32Array), longest turns in milliseconds (Float64Array, all kept up to date)
Napi::Value MeterLoop(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!info[0].IsTypedArray() || !info[1].IsTypedArray()) return Result(info, UV_EINVAL);
  auto counts = info[0].As<Napi::Uint32Array>();
  auto longest = info[1].As<Napi::Float64Array>();
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  auto meter = std::make_unique<Meter>(env);
  meter->counts_held = Napi::Persistent(counts);
  meter->longest_held = Napi::Persistent(longest);
  meter->counts = counts.Data();
  meter->buckets = counts.ElementLength();
  meter->longest = longest.Data();
  meter->maxima = longest.ElementLength();
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
