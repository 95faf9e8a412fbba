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
 * A thread of real-time priority that never rests starves the others of its processor. Whenever these had less than 50
 * ms of it in a second, the kernel gives them the rest at once, above any real-time priority, and the thread stands
 * still, even if another processor is idle (kernel/sched/deadline.c, fair_server; before Linux 6.12 sched_rt_runtime_us, the
 * same). Resting a millisecond now and then gives them as much without a stall, and who asks the daemon something gets to
 * ask. Where nobody waits for a processor nothing is gained by it, and work goes on.
 */
class Rest {
 public:
  /**
   * Milliseconds of work that one of rest makes up for: others get 9 % of the time. With 13, and less than that because of
   * kSwitchMs, they had 47 ms in a second of a commit.
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
  bool Due() {
    if (unrested_ < kWorkPerRest) return false;
    int policy = sched_getscheduler(0);
    if ((policy == SCHED_RR || policy == SCHED_FIFO) && Crowded()) return true;
    unrested_ = 0;
    return false;
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
};

}  // namespace conntrackd
