/*
 * The CNI executable. It hands environment and standard input to the agent's unix socket and prints the answer; the
 * frames are described in cni/frame.ts. Only what must work without the agent is decided here: VERSION, the errors of a
 * call that cannot be handed on, and keeping a DEL for later in the spool folder.
 * All buffers are static and bounded.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MAX_STDIN = 1 << 20, MAX_VARIABLE = 1 << 16, MAX_SPOOLED = 1024, ANSWER_MS = 60000, CONNECT_MS = 900 };
/* Runtimes ask for STATUS every few seconds, and are told nothing else of the node meanwhile. */
enum { STATUS_MS = 5000 };
/* An answer has what the configuration said of DNS, and the namespace's path, besides little of its own. */
enum { MAX_ANSWER = MAX_STDIN + MAX_VARIABLE };

static const char *const VARIABLES[] = {"CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS",
                                        "CNI_IFNAME",  "CNI_ARGS",        "CNI_PATH"};
enum { VARIABLE_COUNT = sizeof VARIABLES / sizeof *VARIABLES };

static unsigned char frame[4 + VARIABLE_COUNT * (4 + MAX_VARIABLE) + 4 + MAX_STDIN + 1];
static size_t frame_length;
static const char *input;
static size_t input_length;
static char cni_version[32] = "1.1.0";
static char socket_path[sizeof((struct sockaddr_un *)0)->sun_path] = "/run/margay/cni.sock";
static char spool_folder[256] = "/var/lib/margay/cni-spool";
static char network[129]; /* Its name; empty when it is not one that the agent takes. */

/* Where tests kill this program: in an executable of their own, built with -DFAULT_POINTS. */
#ifdef FAULT_POINTS
#include <signal.h>
static void fault_point(const char *name) {
  const char *wanted = getenv("MARGAY_FAULT");
  if (wanted && strcmp(wanted, name) == 0) raise(SIGKILL);
}
#else
#define fault_point(name) ((void)0)
#endif

static long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000L + t.tv_nsec / 1000000;
}

static int fail(int code, const char *message, const char *details) {
  printf("{\"cniVersion\":\"%s\",\"code\":%d,\"msg\":\"%s\",\"details\":\"%s\"}\n", cni_version, code, message, details);
  return 1;
}

static void put(const void *bytes, size_t length) {
  memcpy(frame + frame_length, bytes, length);
  frame_length += length;
}

static void put_length(uint32_t n) {
  unsigned char b[4] = {n >> 24, n >> 16, n >> 8, n};
  put(b, 4);
}

/* 0: ready, -1: not before the deadline. */
static int wait_for(int fd, short events, long deadline) {
  for (;;) {
    long left = deadline - now_ms();
    struct pollfd p = {.fd = fd, .events = events};
    if (left <= 0) return -1;
    int n = poll(&p, 1, (int)left);
    if (n > 0) return 0;
    if (n == 0 || errno != EINTR) return -1;
  }
}

/* Reads up to `size` bytes; the count, or -1 on an error or at the deadline. */
static ssize_t read_all(int fd, void *to, size_t size, long deadline) {
  size_t have = 0;
  while (have < size) {
    if (wait_for(fd, POLLIN, deadline) != 0) return -1;
    ssize_t n = read(fd, (char *)to + have, size - have);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    have += (size_t)n;
  }
  return (ssize_t)have;
}

/* The index of the closing quote of the JSON string that opens at `at`, or the input's length. */
static size_t string_end(size_t at) {
  for (at++; at < input_length && input[at] != '"'; at++)
    if (input[at] == '\\') at++;
  return at < input_length ? at : input_length;
}

/* Finds the string value of a key of the outermost object; the last one counts, as with JSON.parse. -1: there is one that
 * does not fit or has escapes other than \/, which no path and no version needs. */
static int find_string(const char *key, char *to, size_t size) {
  int depth = 0, key_matches = 0, after_colon = 0, result = 0;
  for (size_t at = 0; at < input_length; at++) {
    char c = input[at];
    if (c == '{' || c == '[') depth++;
    else if (c == '}' || c == ']') depth--;
    else if (c == ',' && depth == 1) after_colon = key_matches = 0;
    else if (c == ':' && depth == 1) after_colon = 1;
    if (c != '"') continue;
    size_t first = at + 1, end = string_end(at), length = 0;
    if (end >= input_length) break;
    at = end;
    if (depth != 1) continue;
    if (!after_colon) key_matches = end - first == strlen(key) && memcmp(input + first, key, end - first) == 0;
    else if (key_matches) {
      size_t i = first;
      for (; i < end && length < size - 1; i++) {
        if (input[i] == '\\' && input[++i] != '/') break;
        if ((unsigned char)input[i] < 0x20) break;
        to[length++] = input[i];
      }
      result = i == end ? 0 : -1;
      to[length] = 0;
    }
  }
  return result;
}

/* What the network configuration says for this program. The error number, or 0. */
static int read_input(void) {
  char version[sizeof cni_version] = "";
  if (find_string("cniVersion", version, sizeof version) == 0 && *version &&
      strspn(version, "0123456789.") == strlen(version))
    strcpy(cni_version, version);
  if (find_string("agentSocket", socket_path, sizeof socket_path) != 0)
    return fail(7, "Cannot use agentSocket of the network configuration: expected a path of at most 107 bytes", "");
  if (find_string("spoolDirectory", spool_folder, sizeof spool_folder) != 0)
    return fail(7, "Cannot use spoolDirectory of the network configuration: expected a path of at most 255 bytes", "");
  if (find_string("name", network, sizeof network) != 0) *network = 0;
  return 0;
}

/* A connected socket, or -1. A full backlog is waited for. */
static int connect_agent(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct timeval limit = {.tv_sec = 0, .tv_usec = CONNECT_MS * 1000L};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  strcpy(address.sun_path, socket_path);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  fault_point("before connect");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

/* Sends the frame and prints the answer. The exit code, or -1 when there was no complete answer. */
static int relay(int fd, long deadline) {
  static unsigned char answer[MAX_ANSWER];
  unsigned char head[5];
  fault_point("after connect");
  for (size_t sent = 0; sent < frame_length;) {
    if (wait_for(fd, POLLOUT, deadline) != 0) return -1;
    ssize_t n = send(fd, frame + sent, frame_length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return -1;
    sent += (size_t)n;
  }
  fault_point("after send");
  if (read_all(fd, head, sizeof head, deadline) != sizeof head) return -1;
  size_t length = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
  if (length > sizeof answer || read_all(fd, answer, length, deadline) != (ssize_t)length) return -1;
  fault_point("after receive");
  fwrite(answer, 1, length, stdout);
  return head[0];
}

static uint64_t hash(uint64_t h, const char *text) { /* FNV-1a */
  do h = (h ^ (unsigned char)*text) * 0x100000001b3u;
  while (*text++);
  return h;
}

static int make_folders(char *path) {
  for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    mkdir(path, 0755);
    *slash = '/';
  }
  return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

static int spooled_count(int folder) {
  int count = 0, copy = dup(folder);
  DIR *list = copy < 0 ? NULL : fdopendir(copy);
  if (!list) return MAX_SPOOLED;
  for (struct dirent *entry; (entry = readdir(list));)
    if (entry->d_name[0] != '.') count++;
  closedir(list);
  return count;
}

/* Keeps the frame for the agent: complete and on disk, or not at all. The name is that of the attachment, so that the
 * runtime's repetitions make one file, and the agent finds it (cni/spool.ts). */
static int spool(const char *name) {
  char temporary[64];
  if (make_folders(spool_folder) != 0) return -1;
  int folder = open(spool_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return -1;
  if (faccessat(folder, name, F_OK, 0) != 0 && spooled_count(folder) >= MAX_SPOOLED) return -1;
  snprintf(temporary, sizeof temporary, ".%s.%ld", name, (long)getpid());
  int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  int ok = fd >= 0;
  fault_point("after spool create");
  for (size_t done = 0; ok && done < frame_length;) {
    ssize_t n = write(fd, frame + done, frame_length - done);
    if (n < 0 && errno != EINTR) ok = 0;
    if (n > 0) done += (size_t)n;
  }
  fault_point("after spool write");
  ok = ok && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  fault_point("before rename");
  ok = ok && renameat(folder, temporary, folder, name) == 0;
  fault_point("after rename");
  ok = ok && fsync(folder) == 0;
  if (!ok) unlinkat(folder, temporary, 0);
  return ok ? folder : -1;
}

/* DEL without an agent succeeds when it is on disk. The agent listens before it reads the spool: one that began to
 * listen meanwhile may have read it too early, so it is asked once more. */
static int delete_later(const char *id, const char *interface, long deadline) {
  char name[40];
  uint64_t a = hash(hash(0xcbf29ce484222325u, id), interface);
  if (*network) a = hash(a, network);
  uint64_t b = hash(hash(~a, interface), id);
  if (*network) b = hash(b, network);
  snprintf(name, sizeof name, "%016llx%016llx", (unsigned long long)a, (unsigned long long)b);
  int folder = spool(name);
  if (folder < 0) {
    char message[80 + sizeof spool_folder];
    snprintf(message, sizeof message, "Cannot keep the DEL for the agent: \\\"%s\\\" is full or not writable", spool_folder);
    return fail(11, message,
                "Start the margay-node agent of this node; spoolDirectory in the network configuration names the folder");
  }
  fault_point("after spool");
  int fd = connect_agent();
  int code = fd < 0 ? -1 : relay(fd, deadline);
  if (code < 0) return 0;
  unlinkat(folder, name, 0);
  return code;
}

int main(void) {
  const char *values[VARIABLE_COUNT];
  const char *command = getenv("CNI_COMMAND");
  int is_status = command && strcmp(command, "STATUS") == 0;
  long deadline = now_ms() + (is_status ? STATUS_MS : ANSWER_MS);
  put("MGY1", 4);
  for (int i = 0; i < VARIABLE_COUNT; i++) {
    const char *value = values[i] = getenv(VARIABLES[i]);
    size_t length = value ? strlen(value) : 0;
    if (length > MAX_VARIABLE) {
      char message[96];
      snprintf(message, sizeof message, "Cannot use %s: it has more than 65536 bytes", VARIABLES[i]);
      return fail(4, message, "");
    }
    put_length(value ? (uint32_t)length : UINT32_MAX);
    if (value) put(value, length);
  }
  unsigned char *length_at = frame + frame_length;
  input = (const char *)length_at + 4;
  ssize_t got = read_all(STDIN_FILENO, length_at + 4, MAX_STDIN + 1, deadline);
  if (got < 0) return fail(5, "Cannot read standard input: expected the network configuration", "");
  if (got > MAX_STDIN)
    return fail(6, "Cannot read the network configuration: it has more than 1048576 bytes", "");
  input_length = (size_t)got;
  put_length((uint32_t)got);
  frame_length += (size_t)got;
  if (read_input() != 0) return 1;

  if (!command || !*command) return fail(4, "Cannot use CNI_COMMAND: it is not set", "This program is run by a container runtime");
  if (strcmp(command, "VERSION") == 0) {
    printf("{\"cniVersion\":\"%s\",\"supportedVersions\":[\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n", cni_version);
    return 0;
  }
  int fd = connect_agent();
  int code = fd < 0 ? -1 : relay(fd, deadline);
  if (code >= 0) return code;
  if (strcmp(command, "DEL") == 0 && values[1] && *values[1] && values[3] && *values[3])
    return delete_later(values[1], values[3], deadline);
  char message[80 + sizeof socket_path];
  snprintf(message, sizeof message, "Cannot reach the margay-node agent: \\\"%s\\\" does not answer", socket_path);
  return fail(is_status ? 50 : 11, message,
              "Start the agent of this node; agentSocket in the network configuration names its socket");
}
