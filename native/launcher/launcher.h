// The installed command `conntrackd`. A client request must not pay for the start of Node.js: a failover is a chain of
// requests, and traffic waits for it. This program carries out the plain ones itself and starts Node for all the rest.
// The client in TypeScript (src/cli) is the reference; the same tests run over both.
#pragma once

#include <cerrno>
#include <cstddef>

#include "table.h"

namespace launcher {

constexpr int kOk = 0;
constexpr int kFailed = 1;
// What a shell reports for a process that SIGPIPE ended: 128 + 13.
constexpr int kReaderGone = 141;

// Repeats a system call that a signal interrupted.
template <typename Call>
auto Retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// configuration.cc

// struct sockaddr_un holds 107 bytes and a NUL: linux/un.h.
constexpr size_t kMostPath = 107;
// More is read by Node, which says each of them.
constexpr int kMostWarnings = 16;

// What a client wants of a configuration.
struct Configuration {
  char socket[kMostPath + 1] = "";
  const char* warnings[kMostWarnings];
  int warning_count = 0;
};
enum class Reading { kPlain, kUnreadable, kDoubtful };
// Doubtful is what the whole parser may see otherwise, or has more to say about: mistakes above all.
Reading ReadConfiguration(const char* path, Configuration* found);

// request.cc

// Writes everything; false when nobody reads it any more. Waits for an output that is full and does not block.
bool WriteAll(int fd, const char* bytes, size_t length);
// A line on standard error as the daemon's log writes it: `[Thu Sep 18 18:03:02 2008] (pid=9759) [ERROR] text`.
void Complain(const char* level, const char* text, const char* subject = "", const char* end = "");
// Sends one request and copies the reply to standard output. The exit status.
// With `verdict` the exit status is that of the state the reply begins with (src/base/health-states.ts).
int Exchange(const char* socket_path, int code, bool verdict = false);

// node.cc

// Runs the program in TypeScript in this process.
[[noreturn]] void RunNode(char** words);
// `-d`: the daemon in a process of its own. The exit status, once it serves or cannot. src/daemon/background.ts tells
// the contract.
int StartDaemon(char** words);

}  // namespace launcher
