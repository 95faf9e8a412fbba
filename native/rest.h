// Rests of work of real-time priority.
#pragma once

#include <sched.h>

#include <algorithm>
#include <ctime>

namespace conntrackd {

/**
 * A thread of real-time priority that never rests starves the others of its processor. Whenever these had less than 50
 * ms of it in a second, the kernel gives them the rest at once, above any real-time priority, and the thread stands
 * still, even if another processor is idle (kernel/sched/deadline.c, fair_server; before Linux 6.12 sched_rt_runtime_us, the
 * same). Resting a millisecond now and then gives them as much without a stall. Work that is over within kUnrestedMs is
 * never held up.
 */
class Rest {
 public:
  static constexpr double kUnrestedMs = 300;
  /**
   * Milliseconds of work that one of rest makes up for: others get 9 % of the time, some 70 ms in the second that begins
   * with the work. With 13 it was down to 47 in a commit, because another thread of ours had some of the rests.
   */
  static constexpr double kWorkPerRest = 10;
  /**
   * So much of a pause is lost to the kernel's switching and counts for nobody. A thread that sends batch after batch pauses
   * for 60 µs every 2.5 ms, which is 24 ms a second that others never had.
   */
  static constexpr double kSwitchMs = 0.05;

  void Worked(double milliseconds) { unrested_ += milliseconds; }
  void Rested(double milliseconds) {
    unrested_ = std::max(0.0, unrested_ - std::max(0.0, milliseconds - kSwitchMs) * kWorkPerRest);
  }

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
