// Facts about the host and settings of the process that Node.js has no call for.
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

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

// The system pages that lie whole within the array go back to the system; they read as zeros from then on.
Napi::Value ReleaseMemory(const Napi::CallbackInfo& info) {
  // Not ReadBytes: the pages of tables are of shared memory (src/base/page-memory.ts), which that takes for none.
  void* data = nullptr;
  size_t length = 0;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(info.Env(), info[0], &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_uint32_array) {
    Napi::TypeError::New(info.Env(), "expected an Uint32Array").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  Bytes bytes = {static_cast<uint8_t*>(data), length * sizeof(uint32_t)};
  auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  uintptr_t begin = (reinterpret_cast<uintptr_t>(bytes.data) + page - 1) / page * page;
  uintptr_t end = (reinterpret_cast<uintptr_t>(bytes.data) + bytes.size) / page * page;
  if (end <= begin) return Result(info, 0);
  return Result(info, Retry([&] { return madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED); }));
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
  exports["setThreadName"] = Napi::Function::New<SetThreadName>(env);
  exports["releaseMemory"] = Napi::Function::New<ReleaseMemory>(env);
  exports["enterNetworkNamespace"] = Napi::Function::New<EnterNetworkNamespace>(env);
}

}  // namespace conntrackd
