// Rests of work of real-time priority.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace conntrackd {

/**
 * The kernel lets threads of real-time priority have 950 ms of each second of a processor, all of them together. Then they
 * stand still for 50, even if that processor or another one is idle meanwhile (kernel/sched/rt.c, sched_rt_runtime_us: before
 * Linux 6.12, and with RT_GROUP_SCHED). Else it gives others what they lack of 50 ms a second at once (deadline.c,
 * fair_server). Resting a millisecond now and then gives as much without a stall.
 *
 * Where others wait for a processor they get theirs soon: who asks the daemon something must get to ask. Where nobody waits, work
 * that is over within kUnrestedMs is never held up.
 */
class Rest {
 public:
  static constexpr double kUnrestedMs = 300;
  /**
   * Milliseconds of work that one of rest makes up for. In the second that begins with the work 936 ms are worked then; with 13
   * it was 950, and a commit stood still.
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
    look_at_ = std::min(look_at_, unrested_ + kWorkPerRest);
  }

  /** Whether it is time for Take. Only real-time priority starves anybody. */
  bool Due() {
    if (unrested_ < look_at_) return false;
    look_at_ = unrested_ + kWorkPerRest;
    int policy = sched_getscheduler(0);
    if (policy != SCHED_RR && policy != SCHED_FIFO) return false;
    // What was worked before real-time priority came is not made up for.
    unrested_ = std::min(unrested_, kUnrestedMs + kWorkPerRest);
    look_at_ = std::min(look_at_, unrested_ + kWorkPerRest);
    return unrested_ >= kUnrestedMs || Crowded();
  }

  /** Lets a millisecond pass; how long it was in truth is for the caller to tell. */
  static void Take() {
    timespec rest = {0, 1000 * 1000};
    nanosleep(&rest, nullptr);
  }

 private:
  /**
   * Whether more threads want to run than there are processors: the fourth field of proc(5) loadavg. Some microseconds. Where
   * it cannot be read, yes.
   */
  static bool Crowded() {
    static const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    char text[128];
    int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    if (length <= 0) return true;
    text[length] = '\0';
    const char* field = text;
    for (int i = 0; i < 3 && field != nullptr; i++) {
      field = std::strchr(field, ' ');
      if (field != nullptr) field++;
    }
    return field == nullptr || std::strtol(field, nullptr, 10) > processors;
  }

  /** Milliseconds of work that no rest has made up for. */
  double unrested_ = 0;
  /** As much of it is when Due looks again. */
  double look_at_ = kWorkPerRest;
};

}  // namespace conntrackd
