// The addon opens, polls and moves bytes. It parses nothing and decides nothing.
//
// Conventions shared by all files:
//  - A system call that fails is never thrown from here: functions return `-errno` (0 or a positive value is success)
//    and src/native/index.ts turns that into an error with the call's name and target.
//  - Wrong arguments are a bug of the caller: TypeError or RangeError.
//  - File descriptors are always close-on-exec and non-blocking.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include <napi.h>

namespace conntrackd {

void InitSockets(Napi::Env env, Napi::Object exports);
void InitBatches(Napi::Env env, Napi::Object exports);
void InitPoll(Napi::Env env, Napi::Object exports);
void InitHost(Napi::Env env, Napi::Object exports);
void InitLoop(Napi::Env env, Napi::Object exports);
void InitAhead(Napi::Env env, Napi::Object exports);

/** Runs a system call again while a signal interrupts it; gives its result, or -errno. */
template <typename Call>
inline long Retry(Call call) {
  long result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

/** Memory of a caller: valid until control returns to JavaScript. */
struct Bytes {
  uint8_t* data = nullptr;
  size_t size = 0;
};

/** The memory of an ArrayBuffer or of any typed array; for null and undefined an empty one. False: a TypeError is pending. */
inline bool ReadBytes(const Napi::Value& value, Bytes* bytes) {
  *bytes = Bytes{};
  if (value.IsNull() || value.IsUndefined()) return true;
  if (value.IsArrayBuffer()) {
    auto buffer = value.As<Napi::ArrayBuffer>();
    *bytes = Bytes{static_cast<uint8_t*>(buffer.Data()), buffer.ByteLength()};
    return true;
  }
  if (value.IsTypedArray()) {
    auto array = value.As<Napi::TypedArray>();
    *bytes = Bytes{static_cast<uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset(), array.ByteLength()};
    return true;
  }
  Napi::TypeError::New(value.Env(), "expected an ArrayBuffer or a typed array").ThrowAsJavaScriptException();
  return false;
}

/**
 * The memory of an array of 32-bit words. Not ReadBytes: the pages of tables are of shared memory (src/base/page-memory.ts),
 * which that takes for none. False: a TypeError is pending.
 */
inline bool ReadWords(const Napi::Value& value, Bytes* bytes) {
  void* data = nullptr;
  size_t length = 0;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) == napi_ok &&
      (type == napi_uint32_array || type == napi_int32_array)) {
    *bytes = Bytes{static_cast<uint8_t*>(data), length * sizeof(uint32_t)};
    return true;
  }
  Napi::TypeError::New(value.Env(), "expected an Uint32Array or Int32Array").ThrowAsJavaScriptException();
  return false;
}

/** An integer argument; anything else reads as 0, the wrapper's types keep that from happening. */
inline int32_t Integer(const Napi::CallbackInfo& info, size_t index) {
  return info[index].IsNumber() ? info[index].As<Napi::Number>().Int32Value() : 0;
}

inline Napi::Value Result(const Napi::CallbackInfo& info, long result) {
  return Napi::Number::New(info.Env(), static_cast<double>(result));
}

inline Napi::Value OutOfRange(const Napi::CallbackInfo& info, const char* message) {
  Napi::RangeError::New(info.Env(), message).ThrowAsJavaScriptException();
  return info.Env().Undefined();
}

}  // namespace conntrackd
