// The command line of plain requests, and of `-d`: src/cli/arguments.ts has all of it.
#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "launcher.h"

namespace launcher {
namespace {

constexpr int kMostRequests = 64;

struct CommandLine {
  const char* config = kDefaultConfigPath;
  const char* socket = nullptr;
  bool daemon = false;
  bool health = false;
  bool json = false;
  int codes[kMostRequests];
  // What to ask for with --json; 0: as without.
  int json_codes[kMostRequests];
  int count = 0;
};

// The first request of a letter whose word begins with what was typed; without a word, the one that has none.
const Request* Find(char option, const char* word) {
  for (const Request& request : kRequests) {
    bool matches = word == nullptr ? request.word[0] == '\0' : strncmp(request.word, word, strlen(word)) == 0;
    if (request.option == option && matches) return &request;
  }
  return nullptr;
}

const Role* FindRole(const char* word) {
  for (const Role& role : kRoles) {
    if (strcmp(role.word, word) == 0) return &role;
  }
  return nullptr;
}

bool TakesWord(char option) {
  for (const Request& request : kRequests) {
    if (request.option == option && request.word[0] != '\0') return true;
  }
  return false;
}

// Asks for JSON where there is such an answer. False when there is none; Node explains.
bool UseJson(CommandLine* line) {
  bool any = false;
  for (int i = 0; i < line->count; i++) {
    if (line->json_codes[i] == 0) continue;
    line->codes[i] = line->json_codes[i];
    any = true;
  }
  return any;
}

// False when the words are not plain requests, or not right.
bool Read(char** words, CommandLine* line) {
  const Request* last = nullptr;
  bool json = false, xml = false;
  while (*words != nullptr) {
    const char* word = *words++;
    if (strcmp(word, "--socket") == 0) {
      // More is a mistake, which Node explains.
      if (*words == nullptr || (*words)[0] == '-' || (*words)[0] == '\0' || strlen(*words) > kMostPath) return false;
      line->socket = *words++;
      continue;
    }
    if (strcmp(word, kRoleOption) == 0) {
      const Role* role = *words == nullptr ? nullptr : FindRole(*words++);
      if (role == nullptr || line->count == kMostRequests) return false;
      last = nullptr;
      line->json_codes[line->count] = 0;
      line->codes[line->count++] = role->code;
      continue;
    }
    if (strcmp(word, "--health") == 0) {
      line->health = true;
      continue;
    }
    if (strcmp(word, "--json") == 0) {
      json = true;
      continue;
    }
    if (word[0] != '-' || word[1] == '-' || word[1] == '\0') return false;
    if (word[1] == 'C') {
      if (*words == nullptr) return false;
      line->config = *words++;
    } else if (word[1] == 'd') {
      line->daemon = true;
    } else if (word[1] == 'x') {
      if (last == nullptr || last->xml == 0) return false;
      line->codes[line->count - 1] = last->xml;
      xml = true;
    } else {
      const char* subject = *words != nullptr && (*words)[0] != '-' && TakesWord(word[1]) ? *words++ : nullptr;
      // The old name of `link` is understood, with a warning, by Node.
      bool renamed = word[1] == 's' && subject != nullptr && strncmp("multicast", subject, strlen(subject)) == 0;
      last = renamed ? nullptr : Find(word[1], subject);
      if (last == nullptr || line->count == kMostRequests) return false;
      line->json_codes[line->count] = last->json;
      line->codes[line->count++] = last->code;
    }
  }
  // With requests it is a mistake, which Node explains.
  line->json = json;
  if (line->health) return !line->daemon && line->count == 0;
  if (json && (xml || !UseJson(line))) return false;
  return line->daemon ? line->count == 0 && line->socket == nullptr : line->count > 0;
}

// As src/cli/arguments.ts: of a short option only the letter counts, and what follows it is not read.
bool AsksVersion(char** words) {
  if (words[0] == nullptr) return false;
  return strncmp(words[0], "-v", 2) == 0 || (strcmp(words[0], "--version") == 0 && words[1] == nullptr);
}

// Nothing that is opened later may be taken for a standard stream that the caller closed.
void FillStandardStreams() {
  for (int fd = 0; fd <= 2; fd++) {
    if (fcntl(fd, F_GETFD) < 0) open("/dev/null", O_RDWR);
  }
}

int Run(char** words) {
  FillStandardStreams();
  // Scripts ask this in the midst of a failover, to know whom they talk to.
  if (AsksVersion(words)) return WriteAll(STDOUT_FILENO, kVersion, strlen(kVersion)) ? kOk : kReaderGone;
  CommandLine line;
  Configuration configuration;
  if (!Read(words, &line)) RunNode(words);
  if (line.daemon) return StartDaemon(words);
  if (line.socket == nullptr) {
    Reading reading = ReadConfiguration(line.config, &configuration);
    if (reading == Reading::kDoubtful) RunNode(words);
    if (reading == Reading::kUnreadable) {
      Complain("ERROR", kNoConfig, line.config, "'");
      return kFailed;
    }
    for (int i = 0; i < configuration.warning_count; i++) Complain("warning", configuration.warnings[i]);
    line.socket = configuration.socket;
  }
  if (line.health) return Exchange(line.socket, line.json ? kHealthJsonCode : kHealthCode, true);
  for (int i = 0; i < line.count; i++) {
    // As in a failover by script: what follows a failure would act on a state that is not there.
    if (int status = Exchange(line.socket, line.codes[i])) return status;
  }
  return kOk;
}

}  // namespace
}  // namespace launcher

int main(int, char** argv) { return launcher::Run(argv[0] == nullptr ? argv : argv + 1); }
