#pragma once

#include <cstdint>

namespace conntrackd {

/**
 * Serves a descriptor that epoll (epoll_wait(2): `events`) found ready in the loop of this thread, as libuv would have.
 * False: it is not one of ours.
 */
bool ServePoll(int fd, uint32_t events);

}  // namespace conntrackd
