// Rests of work of real-time priority.
#pragma once

#include <sched.h>

#include <algorithm>
#include <ctime>

namespace conntrackd {

/**
 * A thread of real-time priority that never rests starves the others of its processor, and after 950 ms the kernel
 * makes it stand still for 50 (kernel/sched/deadline.c, fair_server: 50 ms a second for them; before Linux 6.12
 * sched_rt_runtime_us, the same). Resting a millisecond now and then gives them as much without a stall. Work that is
 * over within kUnrestedMs is never held up.
 */
class Rest {
 public:
  static constexpr double kUnrestedMs = 300;
  /** Milliseconds of work that one of rest makes up for: others get 7 % of the time. */
  static constexpr double kWorkPerRest = 13;

  void Worked(double milliseconds) { unrested_ += milliseconds; }
  void Rested(double milliseconds) { unrested_ = std::max(0.0, unrested_ - milliseconds * kWorkPerRest); }

  /** Whether it is time for Take. Only real-time priority starves anybody. */
  bool Due() const {
    if (unrested_ < kUnrestedMs) return false;
    int policy = sched_getscheduler(0);
    return policy == SCHED_RR || policy == SCHED_FIFO;
  }

  /** Lets a millisecond pass; how long it was in truth is for the caller to tell. */
  static void Take() {
    timespec rest = {0, 1000 * 1000};
    nanosleep(&rest, nullptr);
  }

 private:
  /** Milliseconds of work that no rest has made up for. */
  double unrested_ = 0;
};

}  // namespace conntrackd
