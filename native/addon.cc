#include "addon.h"

namespace conntrackd {

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  InitSockets(env, exports);
  InitBatches(env, exports);
  InitPoll(env, exports);
  InitHost(env, exports);
  InitLoop(env, exports);
  InitAhead(env, exports);
  return exports;
}

}  // namespace conntrackd

using conntrackd::Init;
NODE_API_MODULE(conntrackd, Init)
