// Starts the program in TypeScript: bin/conntrackd run by Node.js.
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "launcher.h"

namespace launcher {
namespace {

constexpr const char* kInstalled = "/../lib/conntrackd";
// Where node-gyp puts this program in a checkout.
constexpr const char* kBuilt = "/build/Release";
constexpr int kReadyFd = 3;
// What background.ts gives its child besides the standard three.
constexpr int kFirstOtherFd = 4;

volatile pid_t daemon_pid = 0;

void Append(char* path, const char* more) { strncat(path, more, PATH_MAX - strlen(path) - 1); }

}  // namespace

void RunNode(char** words) {
  char directory[PATH_MAX + 1] = "", node[PATH_MAX + 1], program[PATH_MAX + 1];
  ssize_t length = readlink("/proc/self/exe", directory, PATH_MAX);
  directory[length < 0 ? 0 : length] = '\0';
  if (char* slash = strrchr(directory, '/')) *slash = '\0';
  size_t built = strlen(kBuilt);
  bool checkout = strlen(directory) > built && strcmp(directory + strlen(directory) - built, kBuilt) == 0;
  strcpy(program, directory);
  Append(program, checkout ? "/../.." : kInstalled);
  Append(program, "/bin/conntrackd");
  strcpy(node, directory);
  Append(node, kInstalled);
  Append(node, "/node");

  constexpr size_t options = sizeof kNodeOptions / sizeof *kNodeOptions;
  size_t count = 0;
  while (words[count] != nullptr) count++;
  const char** command = static_cast<const char**>(calloc(options + count + 3, sizeof *command));
  if (command == nullptr) abort();
  size_t at = 0;
  command[at++] = "node";
  for (const char* option : kNodeOptions) command[at++] = option;
  command[at++] = program;
  for (char** word = words; *word != nullptr; word++) command[at++] = *word;
  execv(node, const_cast<char**>(command));
  if (errno == ENOENT) execvp("node", const_cast<char**>(command));
  dprintf(STDERR_FILENO, "conntrackd: cannot start node: %s\n", strerror(errno));
  _exit(kFailed);
}

namespace {

[[noreturn]] void BecomeDaemon(char** words, int errors, int ready) {
  // A session of its own: no terminal can reach it.
  setsid();
  int nothing = open("/dev/null", O_RDWR);
  dup2(nothing, STDIN_FILENO);
  dup2(nothing, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  dup2(ready, kReadyFd);
  // Nothing of the caller's may stay open for as long as the daemon runs: locks and pipes of scripts.
  for (int fd = kFirstOtherFd; fd < sysconf(_SC_OPEN_MAX) && fd < 1024; fd++) close(fd);
  char number[] = {'0' + kReadyFd, '\0'};
  setenv(kReadyVariable, number, 1);
  RunNode(words);
}

// Passes on what the daemon says. Whether there was something.
bool Relay(int fd) {
  char bytes[4096];
  ssize_t length = Retry([&] { return read(fd, bytes, sizeof bytes); });
  return length > 0 && write(STDERR_FILENO, bytes, length) >= 0;
}

int ReportEnd(bool said) {
  int status = 0;
  Retry([&] { return waitpid(daemon_pid, &status, 0); });
  if (said) return kFailed;
  const char* what = WIFSIGNALED(status) ? "signal" : "status";
  int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  dprintf(STDERR_FILENO, "conntrackd: the daemon ended at start (%s %d)\n", what, number);
  return kFailed;
}

}  // namespace

int StartDaemon(char** words) {
  int errors[2], ready[2];
  if (pipe2(errors, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0) RunNode(words);
  // The copies must not lie on the numbers they are copied to.
  int child_errors = fcntl(errors[1], F_DUPFD_CLOEXEC, kFirstOtherFd);
  int child_ready = fcntl(ready[1], F_DUPFD_CLOEXEC, kFirstOtherFd);
  daemon_pid = fork();
  if (daemon_pid < 0) RunNode(words);
  if (daemon_pid == 0) BecomeDaemon(words, child_errors, child_ready);
  for (int fd : {errors[1], ready[1], child_errors, child_ready}) close(fd);
  // The daemon, in its own session, would not notice what ends this process.
  for (int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, [](int) { kill(daemon_pid, SIGTERM); });
  bool said = false;
  pollfd heard[] = {{errors[0], POLLIN, 0}, {ready[0], POLLIN, 0}};
  while (heard[0].fd >= 0 || heard[1].fd >= 0) {
    if (Retry([&] { return poll(heard, 2, -1); }) < 0) break;
    if (heard[0].revents != 0) {
      bool more = Relay(errors[0]);
      said |= more;
      if (!more) heard[0].fd = -1;
      continue;
    }
    char bytes[16];
    ssize_t length = Retry([&] { return read(ready[0], bytes, sizeof bytes); });
    if (length > 0 && memmem(bytes, length, kReadyText, strlen(kReadyText)) != nullptr) return kOk;
    if (length <= 0) heard[1].fd = -1;
  }
  return ReportEnd(said);
}

}  // namespace launcher
