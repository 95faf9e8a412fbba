// Sockets of any family. Addresses are raw sockaddr bytes, built and read in src/native/sockaddr.ts.
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"

namespace conntrackd {
namespace {

Napi::Value OpenSocket(const Napi::CallbackInfo& info) {
  int type = Integer(info, 1) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  return Result(info, Retry([&] { return socket(Integer(info, 0), type, Integer(info, 2)); }));
}

// close(2) is not repeated on EINTR: on Linux the descriptor is gone by then.
Napi::Value CloseSocket(const Napi::CallbackInfo& info) {
  return Result(info, close(Integer(info, 0)) < 0 ? -errno : 0);
}

Napi::Value Bind(const Napi::CallbackInfo& info) {
  Bytes address;
  if (!ReadBytes(info[1], &address)) return info.Env().Undefined();
  auto* name = reinterpret_cast<const sockaddr*>(address.data);
  return Result(info, Retry([&] { return bind(Integer(info, 0), name, address.size); }));
}

Napi::Value Connect(const Napi::CallbackInfo& info) {
  Bytes address;
  if (!ReadBytes(info[1], &address)) return info.Env().Undefined();
  auto* name = reinterpret_cast<const sockaddr*>(address.data);
  return Result(info, Retry([&] { return connect(Integer(info, 0), name, address.size); }));
}

Napi::Value Listen(const Napi::CallbackInfo& info) {
  return Result(info, Retry([&] { return listen(Integer(info, 0), Integer(info, 1)); }));
}

Napi::Value Accept(const Napi::CallbackInfo& info) {
  int fd = Integer(info, 0);
  return Result(info, Retry([&] { return accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); }));
}

using NameCall = int (*)(int, sockaddr*, socklen_t*);

// Fills the caller's array; gives the length of the address.
Napi::Value Name(const Napi::CallbackInfo& info, NameCall call) {
  Bytes out;
  if (!ReadBytes(info[1], &out)) return info.Env().Undefined();
  socklen_t length = out.size;
  long result = Retry([&] { return call(Integer(info, 0), reinterpret_cast<sockaddr*>(out.data), &length); });
  return Result(info, result < 0 ? result : static_cast<long>(length));
}

Napi::Value SocketName(const Napi::CallbackInfo& info) { return Name(info, getsockname); }
Napi::Value PeerName(const Napi::CallbackInfo& info) { return Name(info, getpeername); }

// The value is an int or raw bytes (a struct of the option).
Napi::Value SetOption(const Napi::CallbackInfo& info) {
  int32_t number = Integer(info, 3);
  Bytes value{reinterpret_cast<uint8_t*>(&number), sizeof number};
  if (!info[3].IsNumber() && !ReadBytes(info[3], &value)) return info.Env().Undefined();
  return Result(info, Retry([&] {
    return setsockopt(Integer(info, 0), Integer(info, 1), Integer(info, 2), value.data, value.size);
  }));
}

// Fills the caller's Int32Array of one element, since an option may be negative as errors are.
Napi::Value GetOption(const Napi::CallbackInfo& info) {
  Bytes out;
  if (!ReadBytes(info[3], &out)) return info.Env().Undefined();
  socklen_t length = out.size;
  return Result(info, Retry([&] {
    return getsockopt(Integer(info, 0), Integer(info, 1), Integer(info, 2), out.data, &length);
  }));
}

// SO_ATTACH_FILTER takes a pointer, which setOption cannot carry. The program is an array of struct sock_filter,
// 8 bytes each (linux/filter.h).
Napi::Value AttachFilter(const Napi::CallbackInfo& info) {
  Bytes program;
  if (!ReadBytes(info[1], &program)) return info.Env().Undefined();
  sock_fprog filter{};
  filter.len = static_cast<unsigned short>(program.size / sizeof(sock_filter));
  filter.filter = reinterpret_cast<sock_filter*>(program.data);
  return Result(info, Retry([&] {
    return setsockopt(Integer(info, 0), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
  }));
}

// arguments: fd, buffer, offset, length. MSG_NOSIGNAL: a peer that closed its TCP connection is an errno, not SIGPIPE.
Napi::Value Move(const Napi::CallbackInfo& info, bool sending) {
  Bytes buffer;
  if (!ReadBytes(info[1], &buffer)) return info.Env().Undefined();
  int fd = Integer(info, 0);
  int64_t offset = Integer(info, 2), length = Integer(info, 3);
  if (offset < 0 || length < 0 || static_cast<uint64_t>(offset + length) > buffer.size) {
    return OutOfRange(info, "bytes outside of the buffer");
  }
  uint8_t* at = buffer.data + offset;
  return Result(info, Retry([&]() -> long {
    return sending ? send(fd, at, length, MSG_NOSIGNAL | MSG_DONTWAIT) : recv(fd, at, length, MSG_DONTWAIT);
  }));
}

Napi::Value Send(const Napi::CallbackInfo& info) { return Move(info, true); }
Napi::Value Receive(const Napi::CallbackInfo& info) { return Move(info, false); }

}  // namespace

void InitSockets(Napi::Env env, Napi::Object exports) {
  exports["openSocket"] = Napi::Function::New<OpenSocket>(env);
  exports["closeSocket"] = Napi::Function::New<CloseSocket>(env);
  exports["bind"] = Napi::Function::New<Bind>(env);
  exports["connect"] = Napi::Function::New<Connect>(env);
  exports["listen"] = Napi::Function::New<Listen>(env);
  exports["accept"] = Napi::Function::New<Accept>(env);
  exports["socketName"] = Napi::Function::New<SocketName>(env);
  exports["peerName"] = Napi::Function::New<PeerName>(env);
  exports["setOption"] = Napi::Function::New<SetOption>(env);
  exports["getOption"] = Napi::Function::New<GetOption>(env);
  exports["attachFilter"] = Napi::Function::New<AttachFilter>(env);
  exports["send"] = Napi::Function::New<Send>(env);
  exports["receive"] = Napi::Function::New<Receive>(env);
}

}  // namespace conntrackd
