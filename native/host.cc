// Facts about the host and settings of the process that Node.js has no call for.
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <link.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "addon.h"

namespace conntrackd {
namespace {

std::string Text(const Napi::CallbackInfo& info, size_t index) {
  return info[index].IsString() ? info[index].As<Napi::String>().Utf8Value() : std::string();
}

Napi::Value InterfaceIndex(const Napi::CallbackInfo& info) {
  unsigned index = if_nametoindex(Text(info, 0).c_str());
  return Result(info, index == 0 ? -errno : static_cast<long>(index));
}

// One SIOCGIF* request of netdevice(7). Any socket of the namespace will do to ask.
long AskInterface(const Napi::CallbackInfo& info, unsigned long request, ifreq* answer) {
  std::string name = Text(info, 0);
  *answer = ifreq{};
  if (name.size() >= sizeof answer->ifr_name) return -ENODEV;
  std::memcpy(answer->ifr_name, name.c_str(), name.size());
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  long result = ioctl(fd, request, answer) < 0 ? -errno : 0;
  close(fd);
  return result;
}

Napi::Value InterfaceMtu(const Napi::CallbackInfo& info) {
  ifreq answer;
  long result = AskInterface(info, SIOCGIFMTU, &answer);
  return Result(info, result < 0 ? result : answer.ifr_mtu);
}

Napi::Value InterfaceFlags(const Napi::CallbackInfo& info) {
  ifreq answer;
  long result = AskInterface(info, SIOCGIFFLAGS, &answer);
  return Result(info, result < 0 ? result : static_cast<unsigned short>(answer.ifr_flags));
}

// Bits of an address that are set: the length of a prefix, of its netmask.
uint8_t PrefixLength(const uint8_t* mask, size_t size) {
  uint8_t bits = 0;
  for (size_t i = 0; i < size; i++) bits += static_cast<uint8_t>(__builtin_popcount(mask[i]));
  return bits;
}

// Addresses of the interface of that name, of all for an empty one: records of 18 bytes, see src/channel/networks.ts.
Napi::Value InterfaceAddresses(const Napi::CallbackInfo& info) {
  std::string name = Text(info, 0);
  ifaddrs* list = nullptr;
  if (Retry([&] { return getifaddrs(&list); }) < 0) return Napi::Uint8Array::New(info.Env(), 0);
  std::vector<uint8_t> records;
  for (ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_netmask == nullptr || (!name.empty() && name != one->ifa_name)) continue;
    int family = one->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    size_t size = family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
    size_t offset = family == AF_INET ? offsetof(sockaddr_in, sin_addr) : offsetof(sockaddr_in6, sin6_addr);
    uint8_t record[18] = {static_cast<uint8_t>(size)};
    record[1] = PrefixLength(reinterpret_cast<uint8_t*>(one->ifa_netmask) + offset, size);
    std::memcpy(record + 2, reinterpret_cast<uint8_t*>(one->ifa_addr) + offset, size);
    records.insert(records.end(), record, record + sizeof record);
  }
  freeifaddrs(list);
  auto result = Napi::Uint8Array::New(info.Env(), records.size());
  if (!records.empty()) std::memcpy(result.Data(), records.data(), records.size());
  return result;
}

Napi::Value ErrnoName(const Napi::CallbackInfo& info) {
#if defined(__GLIBC__)
  const char* name = strerrorname_np(Integer(info, 0));
#else
  const char* name = nullptr;
#endif
  if (name == nullptr) return info.Env().Null();
  return Napi::String::New(info.Env(), name);
}

Napi::Value ErrnoText(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), std::strerror(Integer(info, 0)));
}

Napi::Value SetScheduler(const Napi::CallbackInfo& info) {
  sched_param parameters{};
  parameters.sched_priority = Integer(info, 1);
  return Result(info, Retry([&] { return sched_setscheduler(0, Integer(info, 0), &parameters); }));
}

Napi::Value SetThreadName(const Napi::CallbackInfo& info) {
  return Result(info, Retry([&] { return prctl(PR_SET_NAME, Text(info, 0).c_str(), 0, 0, 0); }));
}

// Sockets opened from now on by this thread, and processes it starts, belong to the namespace of that path.
Napi::Value EnterNetworkNamespace(const Napi::CallbackInfo& info) {
  long fd = Retry([&] { return open(Text(info, 0).c_str(), O_RDONLY | O_CLOEXEC); });
  if (fd < 0) return Result(info, fd);
  long result = Retry([&] { return setns(static_cast<int>(fd), CLONE_NEWNET); });
  close(static_cast<int>(fd));
  return Result(info, result);
}

// madvise(2) for the system pages that lie whole within the array.
Napi::Value Advise(const Napi::CallbackInfo& info, int advice) {
  Bytes bytes;
  if (!ReadWords(info[0], &bytes)) return info.Env().Undefined();
  auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  uintptr_t begin = (reinterpret_cast<uintptr_t>(bytes.data) + page - 1) / page * page;
  uintptr_t end = (reinterpret_cast<uintptr_t>(bytes.data) + bytes.size) / page * page;
  if (end <= begin) return Result(info, 0);
  return Result(info, Retry([&] { return madvise(reinterpret_cast<void*>(begin), end - begin, advice); }));
}

// They go back to the system, and read as zeros from then on.
Napi::Value ReleaseMemory(const Napi::CallbackInfo& info) { return Advise(info, MADV_DONTNEED); }

Napi::Value PreferHugePages(const Napi::CallbackInfo& info) { return Advise(info, MADV_HUGEPAGE); }

// arguments: array, bytes of a huge page. Gives how many bytes of the array lie before the first one.
Napi::Value ToHugePage(const Napi::CallbackInfo& info) {
  Bytes bytes;
  if (!ReadWords(info[0], &bytes)) return info.Env().Undefined();
  auto huge = static_cast<uintptr_t>(Integer(info, 1));
  return Result(info, huge == 0 ? 0 : static_cast<long>((huge - reinterpret_cast<uintptr_t>(bytes.data) % huge) % huge));
}

// The parts of the program or a library that nothing ever writes to, its code above all. The system keeps these pages in its
// cache of files, where the next access finds them.
int ForgetParts(dl_phdr_info* object, size_t, void* failure) {
  auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) & part = object->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
    uintptr_t begin = (object->dlpi_addr + part.p_vaddr) / page * page;
    uintptr_t end = (object->dlpi_addr + part.p_vaddr + part.p_memsz) / page * page;
    if (end <= begin) continue;
    if (madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED) < 0) *static_cast<int*>(failure) = errno;
  }
  return 0;
}

// Takes the code of program and libraries out of this process: what it goes on using comes back by itself.
Napi::Value ForgetProgram(const Napi::CallbackInfo& info) {
  int failure = 0;
  dl_iterate_phdr(ForgetParts, &failure);
  return Result(info, -failure);
}

// The user at the other end of a UNIX socket: SO_PEERCRED, unix(7).
Napi::Value PeerUser(const Napi::CallbackInfo& info) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  long result = Retry([&] { return getsockopt(Integer(info, 0), SOL_SOCKET, SO_PEERCRED, &credentials, &size); });
  return Result(info, result < 0 ? result : static_cast<long>(credentials.uid));
}

// PR_SET_NO_NEW_PRIVS: holds for all threads that are made from now on by this one, and for programs they start.
Napi::Value RefuseNewPrivileges(const Napi::CallbackInfo& info) {
  return Result(info, Retry([&] { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }));
}

// What LimitThread sets. Written before the signal that makes another thread read it.
uint64_t kept_capabilities;
volatile sig_atomic_t threads_limited;
volatile sig_atomic_t limit_failure;

// This thread keeps of its capabilities (capabilities(7)) those of the set, and can get no others: system calls only,
// since it runs in a signal handler. What it has not it cannot keep, so the sets are cut, not set.
int LimitThread() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) < 0) return errno;
  int failure = 0;
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
    bool kept = capability < 64 && ((kept_capabilities >> capability) & 1) != 0;
    if (kept || prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 0) continue;
    // Needs CAP_SETPCAP, which a daemon with CAP_NET_ADMIN alone has not.
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) failure = errno;
  }
  for (int word = 0; word < 2; word++) {
    auto keep = static_cast<uint32_t>(kept_capabilities >> (32 * word));
    data[word].effective &= keep;
    data[word].permitted &= keep;
    data[word].inheritable &= keep;
  }
  if (syscall(SYS_capset, &header, data) < 0) failure = errno;
  return failure;
}

void OnLimitSignal(int) {
  int before = errno;
  int failure = LimitThread();
  if (failure != 0) limit_failure = failure;
  __atomic_add_fetch(&threads_limited, 1, __ATOMIC_SEQ_CST);
  errno = before;
}

// Capabilities belong to threads: each has to give up its own. So it is asked by a signal, as glibc does for setuid(2).
// arguments: bits 0 to 31 and 32 to 63 of the set to keep. Gives the number of threads that did not answer, or -errno.
Napi::Value LimitCapabilities(const Napi::CallbackInfo& info) {
  constexpr int kWaitMs = 20;
  kept_capabilities = static_cast<uint32_t>(Integer(info, 0)) |
                      (static_cast<uint64_t>(static_cast<uint32_t>(Integer(info, 1))) << 32);
  threads_limited = 0;
  limit_failure = 0;
  int signal = SIGRTMAX - 1;
  struct sigaction action {}, before {};
  action.sa_handler = OnLimitSignal;
  action.sa_flags = SA_RESTART;
  if (sigaction(signal, &action, &before) < 0) return Result(info, -errno);
  int asked = 0;
  pid_t self = static_cast<pid_t>(syscall(SYS_gettid));
  if (DIR* threads = opendir("/proc/self/task")) {
    while (dirent* entry = readdir(threads)) {
      pid_t thread = atoi(entry->d_name);
      if (thread > 0 && thread != self && syscall(SYS_tgkill, getpid(), thread, signal) == 0) asked++;
    }
    closedir(threads);
  } else {
    limit_failure = errno;
  }
  for (int waited = 0; threads_limited < asked && waited < kWaitMs; waited++) usleep(1000);
  int silent = asked - threads_limited;
  // A thread that is late, or blocks the signal, still does it when it gets to it; the default action would end it.
  if (silent == 0) sigaction(signal, &before, nullptr);
  int failure = LimitThread();
  if (failure != 0) limit_failure = failure;
  return Result(info, limit_failure != 0 ? -limit_failure : silent);
}

}  // namespace

void InitHost(Napi::Env env, Napi::Object exports) {
  exports["interfaceIndex"] = Napi::Function::New<InterfaceIndex>(env);
  exports["interfaceMtu"] = Napi::Function::New<InterfaceMtu>(env);
  exports["interfaceFlags"] = Napi::Function::New<InterfaceFlags>(env);
  exports["interfaceAddresses"] = Napi::Function::New<InterfaceAddresses>(env);
  exports["errnoName"] = Napi::Function::New<ErrnoName>(env);
  exports["errnoText"] = Napi::Function::New<ErrnoText>(env);
  exports["setScheduler"] = Napi::Function::New<SetScheduler>(env);
  exports["peerUser"] = Napi::Function::New<PeerUser>(env);
  exports["refuseNewPrivileges"] = Napi::Function::New<RefuseNewPrivileges>(env);
  exports["limitCapabilities"] = Napi::Function::New<LimitCapabilities>(env);
  exports["setThreadName"] = Napi::Function::New<SetThreadName>(env);
  exports["releaseMemory"] = Napi::Function::New<ReleaseMemory>(env);
  exports["preferHugePages"] = Napi::Function::New<PreferHugePages>(env);
  exports["toHugePage"] = Napi::Function::New<ToHugePage>(env);
  exports["forgetProgram"] = Napi::Function::New<ForgetProgram>(env);
  exports["enterNetworkNamespace"] = Napi::Function::New<EnterNetworkNamespace>(env);
}

}  // namespace conntrackd
