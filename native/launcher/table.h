// Written by `npm run launcher` from the tables in TypeScript; not edited by hand.
#pragma once

namespace launcher {

constexpr const char* kDefaultConfigPath = "/etc/conntrackd/conntrackd.conf";
// What -v prints.
constexpr const char* kVersion = "Connection tracking userspace daemon v0.1.0 (TypeScript). Licensed under MIT.\n";
constexpr const char* kReadyVariable = "CONNTRACKD_READY_FD";
constexpr const char* kReadyText = "ready\n";
constexpr const char* kNotReached = "can't connect: is conntrackd running? appropriate permissions?";
constexpr const char* kBroken = "the connection to conntrackd broke off";
constexpr const char* kNoConfig = "can't open config file `";
constexpr const char* kNoRoles = "no answer about the role: the daemon has ended, is not in synchronisation mode, or is one without --role";

// Options of node in the first line of bin/conntrackd.
constexpr const char* kNodeOptions[] = {"--single-threaded-gc", "--initial-old-space-size=128"};

// src/control/requests.ts: letter, word, code, code with -x, code with --json.
struct Request {
  char option;
  const char* word;
  int code, xml, json;
};
constexpr Request kRequests[] = {
    {'c', "", 46, 0, 0},
    {'c', "ct", 18, 0, 0},
    {'c', "expect", 42, 0, 0},
    {'f', "", 45, 0, 0},
    {'f', "internal", 33, 0, 0},
    {'f', "external", 34, 0, 0},
    {'F', "", 43, 0, 0},
    {'F', "ct", 0, 0, 0},
    {'F', "expect", 38, 0, 0},
    {'i', "", 16, 24, 4112},
    {'i', "ct", 16, 24, 4112},
    {'i', "expect", 40, 47, 4136},
    {'e', "", 17, 25, 4113},
    {'e', "ct", 17, 25, 4113},
    {'e', "expect", 41, 48, 4137},
    {'k', "", 20, 0, 0},
    {'s', "", 21, 0, 4117},
    {'s', "network", 28, 0, 4124},
    {'s', "cache", 29, 0, 4125},
    {'s', "runtime", 30, 0, 4126},
    {'s', "link", 31, 0, 4127},
    {'s', "rsqueue", 32, 0, 4128},
    {'s', "process", 35, 0, 4131},
    {'s', "queue", 36, 0, 4132},
    {'s', "latency", 256, 0, 4352},
    {'s', "security", 260, 0, 4356},
    {'s', "role", 323, 0, 4419},
    {'s', "talkers", 288, 0, 4384},
    {'s', "health", 272, 0, 4368},
    {'s', "warnings", 336, 0, 4432},
    {'s', "ct", 21, 0, 4117},
    {'s', "expect", 37, 0, 4133},
    {'R', "", 44, 0, 0},
    {'R', "ct", 1, 0, 0},
    {'R', "expect", 39, 0, 0},
    {'n', "", 23, 0, 0},
    {'B', "", 22, 0, 0},
    {'t', "", 26, 0, 0},
};

// Requests whose reply tells whether they succeeded: word after the option, code.
constexpr const char* kRoleOption = "--role";
constexpr const char* kRoleDone = "role ";
struct Role {
  const char* word;
  int code;
};
constexpr Role kRoles[] = {{"primary", 320}, {"backup", 321}, {"fault", 322}};

// src/base/health-states.ts.
constexpr int kHealthCode = 272;
constexpr int kHealthJsonCode = 4368;
constexpr const char* kHealthPrefix = "health: ";
constexpr const char* kHealthMember = "\"health\":\"";
struct HealthState {
  const char* name;
  int status;
};
constexpr HealthState kHealthStates[] = {{"in sync", 0}, {"behind", 2}, {"peer gone", 3}, {"never seen", 4}};

// grammar/clauses.ts.
enum Block : unsigned char { kFile, kGeneral, kUnix, kMetrics, kScheduler, kFilter, kProtocols, kAddresses, kStates, kSync, kAlarm, kFtfw, kNotrack, kMulticast, kUdp, kTcp, kOptions, kExpectations, kStats, kNoBlock };

// Things of which a file has only one, or which do not go together.
enum Mark : unsigned short { kSyncGiven = 1, kStatsGiven = 2, kMulticastLink = 4, kUdpLink = 8, kTcpLink = 16, kIpv4Link = 32, kIpv6Link = 64, kCommitTimeoutGiven = 128, kNoExternalCache = 256 };
constexpr unsigned short kConflicts[] = {kSyncGiven | kStatsGiven, kMulticastLink | kUdpLink, kMulticastLink | kTcpLink, kUdpLink | kTcpLink, kIpv4Link | kIpv6Link, kCommitTimeoutGiven | kNoExternalCache};

struct Clause {
  Block block;
  const char* name;
  const char* takes;  // see Takes() in configuration.cc
  Block opens;
  unsigned least, most;  // of a number, or the most bytes of a path
  unsigned short mark;
  const char* warning;
};
constexpr Clause kClauses[] = {
    {kFile, "General", "", kGeneral, 0u, 4294967295u, 0, nullptr},
    {kFile, "Sync", "", kSync, 0u, 4294967295u, kSyncGiven, nullptr},
    {kFile, "Stats", "", kStats, 0u, 4294967295u, kStatsGiven, nullptr},
    {kGeneral, "HashSize", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "HashLimit", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "LogFile", "bp", kNoBlock, 0u, 256u, 0, nullptr},
    {kGeneral, "Syslog", "b=daemon|local0|local1|local2|local3|local4|local5|local6|local7", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "LockFile", "p", kNoBlock, 0u, 256u, 0, nullptr},
    {kGeneral, "HealthFile", "p", kNoBlock, 0u, 256u, 0, nullptr},
    {kGeneral, "UNIX", "", kUnix, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "Metrics", "", kMetrics, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "NetlinkBufferSize", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "SocketBufferSize", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "NetlinkBufferSizeMaxGrowth", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "SocketBufferSizeMaxGrowth", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "SocketBufferSizeMaxGrown", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "EventIterationLimit", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "PollSecs", "i", kNoBlock, 1u, 4294967295u, 0, nullptr},
    {kGeneral, "NetlinkOverrunResync", "bi", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "NetlinkEventsReliable", "b", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "Nice", "s", kNoBlock, 0u, 4294967295u, 0, "deprecated nice configuration, ignoring. The nice value can be set externally with nice(1) and renice(1)."},
    {kGeneral, "Scheduler", "", kScheduler, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "Systemd", "b", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kGeneral, "Filter", "?From=Userspace|Kernelspace", kFilter, 0u, 4294967295u, 0, nullptr},
    {kUnix, "Path", "p", kNoBlock, 0u, 107u, 0, nullptr},
    {kUnix, "Backlog", "i", kNoBlock, 0u, 4294967295u, 0, "deprecated unix backlog configuration, ignoring."},
    {kMetrics, "Path", "p", kNoBlock, 0u, 107u, 0, nullptr},
    {kMetrics, "Port", "i", kNoBlock, 1u, 65535u, 0, nullptr},
    {kScheduler, "Type", "=rr|RR|fifo|FIFO", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kScheduler, "Priority", "i", kNoBlock, 0u, 99u, 0, nullptr},
    {kFilter, "Protocol", "=Accept|Ignore", kProtocols, 0u, 4294967295u, 0, nullptr},
    {kFilter, "Address", "=Accept|Ignore", kAddresses, 0u, 4294967295u, 0, nullptr},
    {kFilter, "State", "=Accept|Ignore", kStates, 0u, 4294967295u, 0, nullptr},
    {kAddresses, "IPv4_address", "/4", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kAddresses, "IPv6_address", "/6", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kSync, "Mode", "m", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kSync, "CommitTimeout", "i", kNoBlock, 0u, 4294967295u, kCommitTimeoutGiven, nullptr},
    {kSync, "PurgeTimeout", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kSync, "NotifyFifo", "p", kNoBlock, 0u, 256u, 0, nullptr},
    {kSync, "NotifyInstance", "n", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kSync, "TakeoverHold", "i", kNoBlock, 1u, 300u, 0, nullptr},
    {kSync, "RefreshTime", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kSync, "CacheTimeout", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kSync, "Options", "", kOptions, 0u, 4294967295u, 0, nullptr},
    {kSync, "Multicast", "?Default", kMulticast, 0u, 4294967295u, kMulticastLink, nullptr},
    {kSync, "UDP", "?Default", kUdp, 0u, 4294967295u, kUdpLink, nullptr},
    {kSync, "TCP", "?Default", kTcp, 0u, 4294967295u, kTcpLink, nullptr},
    {kAlarm, "CommitTimeout", "i", kNoBlock, 0u, 4294967295u, kCommitTimeoutGiven, nullptr},
    {kAlarm, "PurgeTimeout", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kAlarm, "RefreshTime", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kAlarm, "CacheTimeout", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kFtfw, "ResendQueueSize", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kFtfw, "ACKWindowSize", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kFtfw, "CommitTimeout", "i", kNoBlock, 0u, 4294967295u, kCommitTimeoutGiven, nullptr},
    {kFtfw, "PurgeTimeout", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kFtfw, "DisableExternalCache", "b", kNoBlock, 0u, 4294967295u, kNoExternalCache, nullptr},
    {kFtfw, "StartupResync", "b", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kNotrack, "CommitTimeout", "i", kNoBlock, 0u, 4294967295u, kCommitTimeoutGiven, nullptr},
    {kNotrack, "PurgeTimeout", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kNotrack, "DisableInternalCache", "b", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kNotrack, "DisableExternalCache", "b", kNoBlock, 0u, 4294967295u, kNoExternalCache, nullptr},
    {kNotrack, "StartupResync", "b", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kMulticast, "IPv4_address", "4", kNoBlock, 0u, 4294967295u, kIpv4Link, nullptr},
    {kMulticast, "IPv6_address", "6", kNoBlock, 0u, 4294967295u, kIpv6Link, nullptr},
    {kMulticast, "IPv4_interface", "4", kNoBlock, 0u, 4294967295u, kIpv4Link, nullptr},
    {kMulticast, "IPv6_interface", "6", kNoBlock, 0u, 4294967295u, 0, "`IPv6_interface' not required, ignoring"},
    {kMulticast, "Interface", "f", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kMulticast, "Group", "i", kNoBlock, 0u, 65535u, 0, nullptr},
    {kMulticast, "SndSocketBuffer", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kMulticast, "RcvSocketBuffer", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kMulticast, "Checksum", "b", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kMulticast, "AcceptFrom", "=link|Link|peer|Peer|any|Any", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kMulticast, "KeyFile", "p", kNoBlock, 0u, 256u, 0, nullptr},
    {kUdp, "IPv4_address", "4", kNoBlock, 0u, 4294967295u, kIpv4Link, nullptr},
    {kUdp, "IPv6_address", "6", kNoBlock, 0u, 4294967295u, kIpv6Link, nullptr},
    {kUdp, "IPv4_Destination_Address", "4", kNoBlock, 0u, 4294967295u, kIpv4Link, nullptr},
    {kUdp, "IPv6_Destination_Address", "6", kNoBlock, 0u, 4294967295u, kIpv6Link, nullptr},
    {kUdp, "Interface", "f", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kUdp, "Port", "i", kNoBlock, 0u, 65535u, 0, nullptr},
    {kUdp, "SndSocketBuffer", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kUdp, "RcvSocketBuffer", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kUdp, "Checksum", "b", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kUdp, "AcceptFrom", "=link|Link|peer|Peer|any|Any", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kUdp, "KeyFile", "p", kNoBlock, 0u, 256u, 0, nullptr},
    {kTcp, "IPv4_address", "4", kNoBlock, 0u, 4294967295u, kIpv4Link, nullptr},
    {kTcp, "IPv6_address", "6", kNoBlock, 0u, 4294967295u, kIpv6Link, nullptr},
    {kTcp, "IPv4_Destination_Address", "4", kNoBlock, 0u, 4294967295u, kIpv4Link, nullptr},
    {kTcp, "IPv6_Destination_Address", "6", kNoBlock, 0u, 4294967295u, kIpv6Link, nullptr},
    {kTcp, "Interface", "f", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kTcp, "Port", "i", kNoBlock, 0u, 65535u, 0, nullptr},
    {kTcp, "SndSocketBuffer", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kTcp, "RcvSocketBuffer", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kTcp, "Checksum", "b", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kTcp, "AcceptFrom", "=link|Link|peer|Peer|any|Any", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kTcp, "KeyFile", "p", kNoBlock, 0u, 256u, 0, nullptr},
    {kTcp, "ErrorQueueLength", "i", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kOptions, "TCPWindowTracking", "b", kNoBlock, 0u, 4294967295u, 0, nullptr},
    {kOptions, "ExpectationSync", "{b", kExpectations, 0u, 4294967295u, 0, nullptr},
    {kStats, "LogFile", "bp", kNoBlock, 0u, 256u, 0, nullptr},
    {kStats, "Syslog", "b=daemon|local0|local1|local2|local3|local4|local5|local6|local7", kNoBlock, 0u, 4294967295u, 0, nullptr},
};

// The words after Mode and the block each opens.
struct Mode {
  const char* word;
  Block opens;
};
constexpr Mode kModes[] = {{"alarm", kAlarm}, {"ftfw", kFtfw}, {"notrack", kNotrack}};

constexpr const char* kTcpStates = "SYN_SENT|SYN_RECV|ESTABLISHED|FIN_WAIT|CLOSE_WAIT|LAST_ACK|TIME_WAIT|CLOSE|CLOSED|LISTEN";
// No name may equal one of these: keywords as they are, the others in any case.
constexpr const char* kKeywords =
    "General"
    "|Sync"
    "|Stats"
    "|Helper"
    "|HashSize"
    "|HashLimit"
    "|LogFile"
    "|Syslog"
    "|LockFile"
    "|HealthFile"
    "|UNIX"
    "|Path"
    "|Backlog"
    "|Metrics"
    "|Port"
    "|NetlinkBufferSize"
    "|SocketBufferSize"
    "|NetlinkBufferSizeMaxGrowth"
    "|SocketBufferSizeMaxGrowth"
    "|SocketBufferSizeMaxGrown"
    "|EventIterationLimit"
    "|PollSecs"
    "|NetlinkOverrunResync"
    "|NetlinkEventsReliable"
    "|Nice"
    "|Scheduler"
    "|Type"
    "|Priority"
    "|Systemd"
    "|Filter"
    "|Protocol"
    "|Address"
    "|State"
    "|IPv4_address"
    "|IPv6_address"
    "|Mode"
    "|ResendQueueSize"
    "|ACKWindowSize"
    "|CommitTimeout"
    "|PurgeTimeout"
    "|NotifyFifo"
    "|NotifyInstance"
    "|TakeoverHold"
    "|RefreshTime"
    "|CacheTimeout"
    "|DisableInternalCache"
    "|DisableExternalCache"
    "|StartupResync"
    "|Options"
    "|TCPWindowTracking"
    "|ExpectationSync"
    "|Multicast"
    "|UDP"
    "|TCP"
    "|IPv4_Destination_Address"
    "|IPv6_Destination_Address"
    "|IPv4_interface"
    "|IPv6_interface"
    "|Interface"
    "|Group"
    "|SndSocketBuffer"
    "|RcvSocketBuffer"
    "|Checksum"
    "|AcceptFrom"
    "|KeyFile"
    "|ErrorQueueLength"
    "|Setup"
    "|QueueNum"
    "|QueueLen"
    "|Policy"
    "|ExpectMax"
    "|ExpectTimeout"
    "|Default"
    "|From"
    "|Userspace"
    "|Kernelspace"
    "|Accept"
    "|Ignore"
    "|for"
    "|SYN_SENT"
    "|SYN_RECV"
    "|ESTABLISHED"
    "|FIN_WAIT"
    "|CLOSE_WAIT"
    "|LAST_ACK"
    "|TIME_WAIT"
    "|CLOSE"
    "|CLOSED"
    "|LISTEN";
constexpr const char* kBooleans = "on|yes|off|no";
constexpr const char* kModeWords = "alarm|ftfw|notrack|persistent|nack";

}  // namespace launcher
