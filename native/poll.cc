// Readiness of a file descriptor through the environment's own event loop, and what it has to receive.
#include "poll.h"

#include <sys/epoll.h>
#include <uv.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "addon.h"
#include "mailbox.h"

namespace conntrackd {
namespace {

/**
 * What libuv holds. It outlives the JavaScript object, because libuv lets go of a handle only one turn after
 * uv_close(). The callback is held from construction to close(), so an open Poll is never collected.
 */
struct Handle {
  uv_poll_t poll;
  Napi::Env env;
  Napi::FunctionReference callback;
  Napi::AsyncContext context;
  napi_async_cleanup_hook_handle hook = nullptr;
  Handle** owner = nullptr;
  int fd;
  int wanted = 0;
  /** Null: JavaScript is told of the readiness and does the rest. */
  std::unique_ptr<Mailbox> mailbox;

  Handle(Napi::Env environment, int descriptor, Napi::Function function)
      : env(environment),
        callback(Napi::Persistent(function)),
        context(environment, "conntrackd:Poll"),
        fd(descriptor) {}
};

/** Those that are polled, in the loop of this thread: a handful. */
thread_local std::vector<Handle*> polled;

void Forget(Handle* handle) { polled.erase(std::remove(polled.begin(), polled.end(), handle), polled.end()); }

void Close(Handle* handle) {
  Forget(handle);
  if (handle->owner != nullptr) *handle->owner = nullptr;
  handle->owner = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle->poll), [](uv_handle_t* closed) {
    auto* handle = static_cast<Handle*>(closed->data);
    Napi::HandleScope scope(handle->env);
    napi_remove_async_cleanup_hook(handle->hook);
    delete handle;
  });
}

// A worker or the process ends with the Poll still open: the loop must not be torn down under the handle.
void CloseAtExit(napi_async_cleanup_hook_handle, void* data) {
  auto* handle = static_cast<Handle*>(data);
  if (uv_is_closing(reinterpret_cast<uv_handle_t*>(&handle->poll)) == 0) Close(handle);
}

void OnEvents(uv_poll_t* poll, int status, int events);

// libuv takes an error pending on a socket (EPOLLERR: ENOBUFS on netlink, ECONNREFUSED on UDP) for a bad descriptor,
// stops and reports UV_EBADF. It is not bad: reading or writing it tells and clears the error. So polling goes on and
// the error is reported as the readiness that was asked for.
int Readiness(Handle* handle, int status, int events) {
  if (status == 0) return events;
  if (status != UV_EBADF) return status;
  int error = uv_poll_start(&handle->poll, handle->wanted, OnEvents);
  return error == 0 ? handle->wanted : error;
}

// Not a plain call but napi_make_callback, so that process.nextTick and promises run when the callback returns.
// The callback may close its own Poll: the handle itself lives until a later turn.
void Serve(Handle* handle, int readiness) {
  if (handle->mailbox != nullptr && readiness > 0) {
    readiness = static_cast<int>(handle->mailbox->Receive(handle->fd, handle->mailbox->Slots()));
    if (readiness == 0) return;  // another has taken it
  }
  Napi::Env env = handle->env;
  Napi::HandleScope scope(env);
  napi_value argument = Napi::Number::New(env, readiness);
  napi_status made =
      napi_make_callback(env, handle->context, env.Global(), handle->callback.Value(), 1, &argument, nullptr);
  if (made == napi_ok) return;
  if (env.IsExceptionPending()) {
    napi_fatal_exception(env, env.GetAndClearPendingException().Value());
  } else {
    uv_poll_stop(&handle->poll);  // the environment is ending and runs no JavaScript any more
  }
}

void OnEvents(uv_poll_t* poll, int status, int events) {
  auto* handle = static_cast<Handle*>(poll->data);
  Serve(handle, Readiness(handle, status, events));
}

class Poll : public Napi::ObjectWrap<Poll> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Poll",
                       {
                           InstanceMethod<&Poll::Start>("start"),
                           InstanceMethod<&Poll::Stop>("stop"),
                           InstanceMethod<&Poll::CloseIt>("close"),
                           InstanceMethod<&Poll::RefIt>("ref"),
                           InstanceMethod<&Poll::UnrefIt>("unref"),
                           InstanceMethod<&Poll::ReceiveInto>("receiveInto"),
                           InstanceMethod<&Poll::Receive>("receive"),
                       });
  }

  // arguments: fd, callback(events)
  explicit Poll(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Poll>(info) {
    if (!info[0].IsNumber() || !info[1].IsFunction()) {
      Napi::TypeError::New(info.Env(), "expected a file descriptor and a function").ThrowAsJavaScriptException();
      return;
    }
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(info.Env(), &loop);
    auto handle = std::make_unique<Handle>(info.Env(), Integer(info, 0), info[1].As<Napi::Function>());
    int error = uv_poll_init(loop, &handle->poll, handle->fd);
    if (error != 0) {
      Napi::Error::New(info.Env(), uv_strerror(error)).ThrowAsJavaScriptException();
      return;
    }
    handle->poll.data = handle.get();
    napi_add_async_cleanup_hook(info.Env(), CloseAtExit, handle.get(), &handle->hook);
    handle_ = handle.release();
    handle_->owner = &handle_;
    Ref();
    self_ = true;
  }

  ~Poll() override {
    if (handle_ != nullptr) handle_->owner = nullptr;
  }

 private:
  Napi::Value Start(const Napi::CallbackInfo& info) {
    if (handle_ == nullptr) return Result(info, UV_EBADF);
    handle_->wanted = Integer(info, 0);
    Forget(handle_);
    polled.push_back(handle_);
    return Result(info, uv_poll_start(&handle_->poll, handle_->wanted, OnEvents));
  }

  Napi::Value Stop(const Napi::CallbackInfo& info) {
    if (handle_ == nullptr) return Result(info, 0);
    Forget(handle_);
    return Result(info, uv_poll_stop(&handle_->poll));
  }

  // arguments: those of Mailbox::Of. From now on the callback gets the number of datagrams, or -errno.
  Napi::Value ReceiveInto(const Napi::CallbackInfo& info) {
    auto mailbox = Mailbox::Of(info);
    if (mailbox != nullptr && handle_ != nullptr) handle_->mailbox = std::move(mailbox);
    return info.Env().Undefined();
  }

  // arguments: most
  Napi::Value Receive(const Napi::CallbackInfo& info) {
    if (handle_ == nullptr || handle_->mailbox == nullptr) return Result(info, -EBADF);
    return Result(info, handle_->mailbox->Receive(handle_->fd, static_cast<uint32_t>(Integer(info, 0))));
  }

  Napi::Value CloseIt(const Napi::CallbackInfo& info) {
    if (handle_ != nullptr) Close(handle_);
    if (self_) Unref();
    self_ = false;
    return info.Env().Undefined();
  }

  Napi::Value RefIt(const Napi::CallbackInfo& info) {
    if (handle_ != nullptr) uv_ref(reinterpret_cast<uv_handle_t*>(&handle_->poll));
    return info.Env().Undefined();
  }

  Napi::Value UnrefIt(const Napi::CallbackInfo& info) {
    if (handle_ != nullptr) uv_unref(reinterpret_cast<uv_handle_t*>(&handle_->poll));
    return info.Env().Undefined();
  }

  Handle* handle_ = nullptr;
  bool self_ = false;
};

}  // namespace

bool ServePoll(int fd, uint32_t events) {
  for (Handle* handle : polled) {
    if (handle->fd != fd) continue;
    int readiness = ((events & EPOLLIN) != 0 ? UV_READABLE : 0) | ((events & EPOLLOUT) != 0 ? UV_WRITABLE : 0);
    // An error or a hang-up shows when the descriptor is used.
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) readiness = handle->wanted;
    if (readiness == 0) return false;
    Serve(handle, readiness);
    return true;
  }
  return false;
}

void InitPoll(Napi::Env env, Napi::Object exports) { exports["Poll"] = Poll::Define(env); }

}  // namespace conntrackd
