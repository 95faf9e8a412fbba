// One request to the daemon (spec/control.md): a 32-bit integer there, text back until end of file.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "launcher.h"

namespace launcher {
namespace {

// As many bytes as the control socket holds at once.
char reply[64 * 1024];

// Exit status of the state that a report begins with, as text or as JSON.
int StatusOf(const char* start) {
  const char* found = strstr(start, start[0] == '{' ? kHealthMember : kHealthPrefix);
  if (found == nullptr || (start[0] != '{' && found != start)) return kFailed;
  const char* shown = found + strlen(start[0] == '{' ? kHealthMember : kHealthPrefix);
  for (const HealthState& state : kHealthStates) {
    size_t length = strlen(state.name);
    if (strncmp(shown, state.name, length) == 0 && shown[length] == (start[0] == '{' ? '"' : '\n')) return state.status;
  }
  return kFailed;
}

int Copy(int fd, bool verdict) {
  // The first line of a report, or, as JSON, the members up to its state.
  char start[64] = "";
  size_t started = 0;
  for (;;) {
    ssize_t length = Retry([&] { return read(fd, reply, sizeof reply); });
    if (length == 0) return verdict ? StatusOf(start) : kOk;
    if (length < 0) {
      Complain("ERROR", kBroken);
      return kFailed;
    }
    for (ssize_t i = 0; i < length && started < sizeof start - 1; i++) start[started++] = reply[i];
    if (!WriteAll(STDOUT_FILENO, reply, length)) return kReaderGone;
  }
}

bool HasVerdict(int code) {
  for (const Role& role : kRoles) {
    if (role.code == code) return true;
  }
  return false;
}

// The reply tells whether the request succeeded.
int Judge(int fd) {
  size_t length = 0;
  for (;;) {
    ssize_t more = Retry([&] { return read(fd, reply + length, sizeof reply - 1 - length); });
    if (more < 0 || (more > 0 && length + more == sizeof reply - 1)) {
      Complain("ERROR", kBroken);
      return kFailed;
    }
    if (more == 0) break;
    length += more;
  }
  if (length == 0) {
    Complain("ERROR", kNoRoles);
    return kFailed;
  }
  reply[length] = '\0';
  if (strncmp(reply, kRoleDone, strlen(kRoleDone)) == 0) return WriteAll(STDOUT_FILENO, reply, length) ? kOk : kReaderGone;
  if (reply[length - 1] == '\n') reply[length - 1] = '\0';
  Complain("ERROR", reply);
  return kFailed;
}

}  // namespace

bool WriteAll(int fd, const char* bytes, size_t length) {
  while (length > 0) {
    ssize_t written = Retry([&] { return write(fd, bytes, length); });
    if (written < 0 && errno != EAGAIN) return false;
    if (written < 0) {
      pollfd room = {fd, POLLOUT, 0};
      Retry([&] { return poll(&room, 1, -1); });
      continue;
    }
    bytes += written;
    length -= written;
  }
  return true;
}

void Complain(const char* level, const char* text, const char* subject, const char* end) {
  time_t now = time(nullptr);
  tm local;
  char date[32];
  strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", localtime_r(&now, &local));
  dprintf(STDERR_FILENO, "[%s] (pid=%d) [%s] %s%s%s\n", date, getpid(), level, text, subject, end);
}

int Exchange(const char* socket_path, int code, bool verdict) {
  // A reader that is gone shows as an error of write.
  signal(SIGPIPE, SIG_IGN);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, socket_path, kMostPath);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || Retry([&] { return connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address); }) < 0) {
    Complain("ERROR", kNotReached);
    close(fd);
    return kFailed;
  }
  // What is wrong with the connection shows when the reply is read, which may be there all the same.
  (void)!write(fd, &code, sizeof code);
  int status = HasVerdict(code) ? Judge(fd) : Copy(fd, verdict);
  close(fd);
  return status;
}

}  // namespace launcher
