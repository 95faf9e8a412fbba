// Reads a configuration as grammar/quick-parser.ts and src/config do, as far as a client needs it: the path of the
// control socket, and whether the rest is free of mistakes. Where this reader is in doubt the whole parser decides; it
// never takes what that refuses (test/property/launcher.test.ts).
#include <arpa/inet.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <strings.h>

#include "launcher.h"

namespace launcher {
namespace {

// Larger files are no ordinary ones.
constexpr size_t kMostBytes = 256 * 1024;
// spec/config.md, "channels".
constexpr int kMostLinks = 4;
constexpr size_t kMostWord = 256;
char text[kMostBytes + 1];

bool IsBlank(char byte) { return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n'; }

// Whether a word is one of `a|b|c`.
bool OneOf(const char* word, const char* list, bool any_case = false) {
  size_t length = strlen(word);
  for (const char* at = list; at != nullptr; at = strchr(at, '|')) {
    if (*at == '|') at++;
    if (strcspn(at, "|") == length && (any_case ? strncasecmp : strncmp)(at, word, length) == 0) return true;
  }
  return false;
}

bool IsName(const char* word) {
  if (strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(word)) return false;
  return !OneOf(word, kKeywords) && !OneOf(word, kBooleans, true) && !OneOf(word, kModeWords, true);
}

bool IsLetter(char byte) { return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z'; }

bool IsDigit(char byte) { return byte >= '0' && byte <= '9'; }

bool IsNumber(const char* word, unsigned least, unsigned most) {
  size_t digits = strspn(word, "0123456789");
  if (digits == 0 || digits > 10 || word[digits] != '\0') return false;
  unsigned long long number = strtoull(word, nullptr, 10);
  return number >= least && number <= most;
}

class Parser {
 public:
  explicit Parser(Configuration* found) : found_(found) { Advance(); }

  bool File() { return Items(kFile) && !bad_ && word_[0] == '\0' && Consistent(); }

 private:
  // The next word, empty at the end: a brace, or what lies between blanks, braces and comments. Words of the language
  // that touch one another are not told apart; none of the checks below takes them.
  void Advance() {
    for (; IsBlank(*at_) || *at_ == '#'; at_++) {
      if (*at_ == '#') at_ += strcspn(at_, "\n");
      if (*at_ == '\0') break;
    }
    size_t length = *at_ == '{' || *at_ == '}' ? 1 : strcspn(at_, *at_ == '/' ? " \t\r\n" : " \t\r\n{}#");
    word_[0] = '\0';
    if (length > kMostWord) bad_ = true;
    if (bad_) return;
    memcpy(word_, at_, length);
    word_[length] = '\0';
    // Bytes beyond ASCII, control characters and quotes mean something only to the whole parser.
    for (size_t i = 0; i < length; i++) bad_ |= word_[i] <= ' ' || word_[i] == '"' || word_[i] == 0x7f;
    start_ = at_;
    at_ += length;
  }

  bool Is(const char* wanted) const { return strcmp(word_, wanted) == 0; }

  // Goes on if the word was right.
  bool Take(bool right) {
    if (!right || word_[0] == '\0' || bad_) return false;
    Advance();
    return true;
  }

  bool Items(Block block) {
    while (!bad_ && word_[0] != '\0' && !Is("}")) {
      if (!Item(block)) return false;
    }
    return true;
  }

  bool Item(Block block) {
    if (block == kProtocols && OneOf(word_, "TCP|UDP")) return Take(true);
    if (block == kProtocols || block == kExpectations) return Take(IsLetter(word_[0]) && IsName(word_));
    if (block == kStates) {
      while (OneOf(word_, kTcpStates)) Advance();
      return Take(Is("for")) && Take(Is("TCP"));
    }
    for (const Clause& clause : kClauses) {
      if (clause.block == block && Is(clause.name)) return Rest(clause);
    }
    return false;
  }

  bool Rest(const Clause& clause) {
    Advance();
    Block opens = clause.opens;
    const char* takes = clause.takes;
    bool off = OneOf(word_, "off|no", true);
    if (clause.mark != 0 && !off) marks_ |= clause.mark;
    if (clause.mark & (kMulticastLink | kUdpLink | kTcpLink)) links_++;
    if (clause.warning != nullptr && !Warn(clause.warning)) return false;
    bool is_path = clause.block == kUnix && strcmp(clause.name, "Path") == 0;
    if (is_path && strlen(word_) <= kMostPath) strcpy(found_->socket, word_);
    if (takes[0] == 'm') {
      for (const Mode& mode : kModes) {
        if (strcasecmp(mode.word, word_) == 0) opens = mode.opens;
      }
      if (opens == kNoBlock) return false;
      Advance();
    } else if (takes[0] == '{') {
      if (!Is("{")) return Take(Takes(takes + 1, clause));
    } else if (takes[0] == '?') {
      const char* words = strchr(takes, '=');
      bool present = strncmp(takes + 1, word_, strcspn(takes + 1, "=")) == 0 && IsLetter(word_[0]);
      if (present) {
        Advance();
        if (words != nullptr && !Take(OneOf(word_, words + 1))) return false;
      }
    } else if (takes[0] != '\0' && !Take(Takes(takes, clause))) {
      return false;
    }
    if (opens == kNoBlock) return true;
    return Take(Is("{")) && Items(opens) && Take(Is("}"));
  }

  // Whether the word is a value of the kind; several letters are alternatives.
  bool Takes(const char* kinds, const Clause& clause) {
    for (const char* kind = kinds; *kind != '\0'; kind++) {
      if (*kind == '=') return OneOf(word_, kind + 1);
      if (*kind == '/') return Network(kind[1] == '4' ? AF_INET : AF_INET6);
      if (*kind == 'b' && OneOf(word_, kBooleans, true)) return true;
      if (*kind == 'i' && IsNumber(word_, clause.least, clause.most)) return true;
      if (*kind == 's' && strchr("+-", word_[0]) != nullptr && IsNumber(word_ + 1, 0, ~0u)) return true;
      if (*kind == 'p' && word_[0] == '/' && strlen(word_) <= clause.most) return true;
      if (*kind == 'f' && (IsLetter(word_[0]) || IsDigit(word_[0])) && IsName(word_)) return true;
      if (*kind == '4' && Address(AF_INET, word_)) return true;
      if (*kind == '6' && Address(AF_INET6, word_)) return true;
    }
    return false;
  }

  static bool Address(int family, const char* word) {
    char bytes[16];
    return (family == AF_INET || strchr(word, '.') == nullptr) && inet_pton(family, word, bytes) == 1;
  }

  // A network given twice gets a warning.
  bool Network(int family) {
    char address[kMostWord + 1];
    strcpy(address, word_);
    char* prefix = strchr(address, '/');
    if (prefix == nullptr) return Address(family, address);
    *prefix = '\0';
    if (prefix[1] == '0' && prefix[2] != '\0') return false;
    bool repeated = memmem(text, start_ - text, word_, strlen(word_)) != nullptr;
    return !repeated && IsNumber(prefix + 1, 0, family == AF_INET ? 32 : 128) && Address(family, address);
  }

  bool Warn(const char* warning) {
    if (found_->warning_count == kMostWarnings) return false;
    found_->warnings[found_->warning_count++] = warning;
    return true;
  }

  bool Consistent() const {
    for (unsigned short both : kConflicts) {
      if ((marks_ & both) == both) return false;
    }
    return links_ <= kMostLinks;
  }

  Configuration* found_;
  const char* at_ = text;
  const char* start_ = text;
  char word_[kMostWord + 1];
  bool bad_ = false;
  unsigned marks_ = 0;
  int links_ = 0;
};

}  // namespace

Reading ReadConfiguration(const char* path, Configuration* found) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Reading::kUnreadable;
  size_t length = 0;
  ssize_t bytes = 1;
  while (bytes > 0 && length < kMostBytes) {
    bytes = Retry([&] { return read(fd, text + length, kMostBytes - length); });
    if (bytes > 0) length += bytes;
  }
  close(fd);
  if (bytes < 0) return Reading::kUnreadable;
  bool plain = length < kMostBytes && memchr(text, '\0', length) == nullptr && Parser(found).File();
  return plain ? Reading::kPlain : Reading::kDoubtful;
}

}  // namespace launcher
