/* A very cheap Azure Resource Manager for load tests: one thread, epoll, no memory per operation.

   It is not the simulator: it believes everything, refuses nothing and remembers almost nothing.
   An operation's id holds its VM's number, when it began and how long it takes, so that its state
   follows from its URL; it costs the server a few microseconds a request and no memory. Per VM it
   keeps only what it counts: POSTs, and when the last poll was answered.

   Arguments: [seconds an operation takes in ms] [retry-after in s] [most VMs].
   It listens on 127.0.0.1, any free port, prints the port, and ends when its stdin is closed.

   An operation's guid: 8 hex digits VM number, 12 begin in ms since the server's start (all f: the
   instant of the last POST /_fake/epoch), 12 duration in ms. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 65536
#define MOST_CONNECTIONS 65536
#define LATE_MS 120000
#define AT_EPOCH 0xffffffffffffULL

typedef struct { int used; char in[BUFFER]; } Connection;
typedef struct { char method[8]; char *target; char *host; size_t body; } Request;

static Connection *connections[MOST_CONNECTIONS];
static char signature[3500], out[32768];
static uint64_t began_at, epoch_at, takes_ms = 4000, retry_s = 1, held, first_at;
static uint64_t polls, ends, looks, posts, queries, others, twice, ended_twice;
static uint32_t most_vms = 200000, late[LATE_MS + 1];
static uint32_t *answered_at; /* per VM: ms of the last running answer, 0: none */
static uint8_t *posted, *ended;

static uint64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 - began_at;
}

/* ------------------------------------------------------------------------------- answers */

static size_t reply(const char *status, const char *headers, const char *body, size_t length) {
  int head = snprintf(out, sizeof out,
      "HTTP/1.1 %s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %zu\r\n"
      "x-ms-request-id: 0d0d0d0d-0000-4000-8000-000000000000\r\n"
      "x-ms-ratelimit-remaining-subscription-reads: 249\r\nCache-Control: no-cache\r\n"
      "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n%s\r\n",
      status, length, headers);
  memcpy(out + head, body, length);
  return (size_t)head + length;
}

static size_t view(const char *path, size_t length) {
  static char body[4096];
  int size = snprintf(body, sizeof body,
      "{\"name\":\"vm\",\"id\":\"%.*s\",\"type\":\"Microsoft.Compute/virtualMachines\","
      "\"location\":\"westeurope\",\"tags\":{\"ring\":\"broad\"},\"properties\":{\"vmId\":"
      "\"6fe0fcb5-b2ba-4d18-9e37-d7c9b4b2f9f1\",\"provisioningState\":\"Succeeded\","
      "\"hardwareProfile\":{\"vmSize\":\"Standard_D2s_v5\"},\"storageProfile\":{\"osDisk\":"
      "{\"osType\":\"Linux\",\"name\":\"disk\",\"createOption\":\"FromImage\"}},"
      "\"instanceView\":{\"vmAgent\":{\"vmAgentVersion\":\"2.9.1.1\",\"statuses\":[{\"code\":"
      "\"ProvisioningState/succeeded\",\"level\":\"Info\",\"displayStatus\":\"Ready\","
      "\"message\":\"Guest Agent is running\"}]},\"statuses\":[{\"code\":"
      "\"ProvisioningState/succeeded\",\"level\":\"Info\"},{\"code\":\"PowerState/running\","
      "\"level\":\"Info\",\"displayStatus\":\"VM running\"}]}}}", (int)length, path);
  return reply("200 OK", "", body, (size_t)size);
}

static int result(char *body, size_t room, const char *guid) {
  return snprintf(body, room,
      "{\"status\":\"Succeeded\",\"installationActivityId\":\"%.36s\",\"rebootStatus\":"
      "\"NotNeeded\",\"maintenanceWindowExceeded\":false,\"excludedPatchCount\":0,"
      "\"notSelectedPatchCount\":1,\"pendingPatchCount\":0,\"installedPatchCount\":2,"
      "\"failedPatchCount\":0,\"patches\":[{\"patchId\":\"libssl3_3.0.15\",\"name\":\"libssl3\","
      "\"version\":\"3.0.15\",\"classifications\":[\"Security\"],\"installationState\":"
      "\"Installed\"},{\"patchId\":\"tzdata_2026a\",\"name\":\"tzdata\",\"version\":\"2026a\","
      "\"classifications\":[\"Critical\"],\"installationState\":\"Installed\"}],"
      "\"startDateTime\":\"2026-11-22T18:00:00.0000000Z\",\"error\":{\"code\":\"0\","
      "\"message\":\"\",\"details\":[]}}", guid);
}

static size_t operation(char *guid, int monitor) {
  static char body[4096], output[2048], headers[64];
  char digits[33];
  int found = 0;
  for (char *at = guid; found < 32 && at < guid + 36; at++)
    if (*at != '-') digits[found++] = *at;
  digits[32] = 0;
  uint64_t takes = strtoull(digits + 20, NULL, 16);
  digits[20] = 0;
  uint64_t begin = strtoull(digits + 8, NULL, 16);
  digits[8] = 0;
  uint32_t vm = (uint32_t)strtoul(digits, NULL, 16) % most_vms;
  uint64_t now = now_ms();
  if (begin == AT_EPOCH) begin = epoch_at ? epoch_at : now;
  if (!polls++) first_at = now - epoch_at;
  if (answered_at[vm]) {
    int64_t by = (int64_t)now - answered_at[vm] - (int64_t)(retry_s * 1000);
    late[by < 0 ? 0 : by > LATE_MS ? LATE_MS : by]++;
  }
  if (now - begin < takes) {
    answered_at[vm] = (uint32_t)now;
    snprintf(headers, sizeof headers, "Retry-After: %llu\r\n", (unsigned long long)retry_s);
    int size = snprintf(body, sizeof body, "{\"startTime\":\"2026-11-22T18:00:00.0000000+00:00\","
        "\"status\":\"InProgress\",\"name\":\"%.36s\"}", guid);
    return monitor ? reply("202 Accepted", headers, "", 0)
                   : reply("200 OK", headers, body, (size_t)size);
  }
  answered_at[vm] = 0;
  ends++;
  ended_twice += ended[vm] != 0;
  ended[vm] = 1;
  int size = result(output, sizeof output, guid);
  if (monitor) return reply("200 OK", "", output, (size_t)size);
  size = snprintf(body, sizeof body, "{\"startTime\":\"2026-11-22T18:00:00.0000000+00:00\","
      "\"endTime\":\"2026-11-22T18:20:00.0000000+00:00\",\"status\":\"Succeeded\",\"properties\":"
      "{\"output\":%s},\"name\":\"%.36s\"}", output, guid);
  return reply("200 OK", "", body, (size_t)size);
}

static size_t install(const Request *request, const char *digits, const char *subscription) {
  static char headers[16384];
  uint32_t vm = (uint32_t)strtoul(digits, NULL, 10) % most_vms;
  uint64_t now = now_ms();
  char guid[37];
  if (held) now = AT_EPOCH;
  snprintf(guid, sizeof guid, "%08x-%04x-%04x-%04x-%012llx", vm, (unsigned)(now >> 32 & 0xffff),
      (unsigned)(now >> 16 & 0xffff), (unsigned)(now & 0xffff), (unsigned long long)takes_ms);
  posts++;
  twice += posted[vm] != 0;
  posted[vm] = 1;
  const char *form = "http://%s/subscriptions/%.36s/providers/Microsoft.Compute/locations/"
      "westeurope/operations/%s?%s&api-version=2025-04-01&%s";
  static char status[4096], location[4096];
  snprintf(status, sizeof status, form, request->host, subscription, guid, "p=1", signature);
  snprintf(location, sizeof location, form, request->host, subscription, guid,
      "p=1&monitor=true", signature);
  snprintf(headers, sizeof headers, "Azure-AsyncOperation: %s\r\nLocation: %s\r\n"
      "Retry-After: %llu\r\n", status, location, (unsigned long long)retry_s);
  size_t size = reply("202 Accepted", headers, "", 0);
  char *id = strstr(out, "x-ms-request-id: ");
  memcpy(id + 17, guid, 36); /* an operation is known by the id of the request that began it */
  return size;
}

static size_t stats(void) {
  static char body[1024];
  uint64_t count = 0, seen = 0, at50 = 0, at99 = 0, most = 0;
  for (uint32_t ms = 0; ms <= LATE_MS; ms++) count += late[ms];
  for (uint32_t ms = 0; ms <= LATE_MS; ms++) {
    if (!late[ms]) continue;
    if (seen * 2 < count) at50 = ms;
    if (seen * 100 < count * 99) at99 = ms;
    seen += late[ms];
    most = ms;
  }
  int size = snprintf(body, sizeof body,
      "{\"polls\":%llu,\"ends\":%llu,\"looks\":%llu,\"posts\":%llu,\"queries\":%llu,"
      "\"others\":%llu,\"posted_twice\":%llu,\"ended_twice\":%llu,\"spaced\":%llu,"
      "\"late_p50_ms\":%llu,\"late_p99_ms\":%llu,\"late_max_ms\":%llu,\"first_poll_ms\":%llu}",
      (unsigned long long)polls, (unsigned long long)ends, (unsigned long long)looks,
      (unsigned long long)posts, (unsigned long long)queries, (unsigned long long)others,
      (unsigned long long)twice, (unsigned long long)ended_twice, (unsigned long long)count,
      (unsigned long long)at50, (unsigned long long)at99, (unsigned long long)most,
      (unsigned long long)first_at);
  return reply("200 OK", "", body, (size_t)size);
}

/* POST /_fake/epoch: everything is counted anew from now; ?takes=MS and ?retry=S set the pace, and
   with ?held=1 what is posted from now on begins at the next epoch. */
static size_t epoch(const char *target) {
  const char *given = strstr(target, "takes=");
  if (given) takes_ms = strtoull(given + 6, NULL, 10);
  given = strstr(target, "retry=");
  if (given) retry_s = strtoull(given + 6, NULL, 10);
  held = strstr(target, "held=1") != NULL;
  polls = ends = looks = posts = queries = others = twice = ended_twice = 0;
  memset(late, 0, sizeof late);
  memset(answered_at, 0, most_vms * sizeof *answered_at);
  memset(posted, 0, most_vms);
  memset(ended, 0, most_vms);
  epoch_at = now_ms();
  return reply("200 OK", "", "{}", 2);
}

static size_t answer(const Request *request) {
  char *target = request->target, *found;
  if (!strncmp(target, "/_fake/stats", 12)) return stats();
  if (!strncmp(target, "/_fake/epoch", 12)) return epoch(target);
  if (strstr(target, "ResourceGraph/resources")) {
    static const char *none = "{\"totalRecords\":0,\"count\":0,\"data\":[],\"facets\":[],"
        "\"resultTruncated\":\"false\"}";
    queries++;
    return reply("200 OK", "x-ms-user-quota-remaining: 14\r\n"
        "x-ms-user-quota-resets-after: 00:00:05\r\n", none, strlen(none));
  }
  if ((found = strstr(target, "/operations/"))) {
    char *query = strchr(found, '?');
    return operation(found + 12, query && strstr(query, "monitor=true") != NULL);
  }
  found = strcasestr(target, "/virtualmachines/vm-");
  if (found && !strcmp(request->method, "POST"))
    return install(request, found + 20, target + 15);
  if (found) {
    looks++;
    return view(target, strcspn(target, "?"));
  }
  others++;
  static const char *unknown = "{\"error\":{\"code\":\"NotFound\",\"message\":\"Unknown.\"}}";
  return reply("404 Not Found", "", unknown, strlen(unknown));
}

/* ------------------------------------------------------------------------------- sockets */

/* Parse one request in `text`, which it changes; returns its length, 0 when it is not whole. */
static size_t parse(char *text, int length, Request *request) {
  char *end = memmem(text, (size_t)length, "\r\n\r\n", 4);
  if (!end) return 0;
  size_t head = (size_t)(end - text) + 4;
  request->body = 0;
  request->host = "127.0.0.1";
  for (char *line = memchr(text, '\n', head); line && line + 1 < end; line = strchr(line + 1, '\n')) {
    if (!strncasecmp(line + 1, "content-length:", 15)) request->body = (size_t)atol(line + 16);
    if (!strncasecmp(line + 1, "host:", 5)) request->host = line + 6 + strspn(line + 6, " ");
  }
  if ((size_t)length < head + request->body) return 0;
  sscanf(text, "%7s", request->method);
  request->target = strchr(text, ' ') + 1;
  request->target[strcspn(request->target, " \r")] = 0;
  request->host[strcspn(request->host, "\r\n")] = 0;
  return head + request->body;
}

static void hang_up(int fd) {
  close(fd);
  free(connections[fd]);
  connections[fd] = NULL;
}

static void serve(int fd) {
  Connection *one = connections[fd];
  ssize_t got = recv(fd, one->in + one->used, BUFFER - 1 - (size_t)one->used, 0);
  if (got <= 0) {
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) hang_up(fd);
    return;
  }
  one->used += (int)got;
  one->in[one->used] = 0;
  Request request;
  size_t length;
  while ((length = parse(one->in, one->used, &request))) {
    size_t size = answer(&request), sent = 0;
    while (sent < size) {
      ssize_t now = send(fd, out + sent, size - sent, MSG_NOSIGNAL);
      if (now < 0 && errno != EAGAIN) { hang_up(fd); return; }
      if (now > 0) sent += (size_t)now;
    }
    one->used -= (int)length;
    memmove(one->in, one->in + length, (size_t)one->used + 1);
  }
}

static void welcome(int listener, int poller) {
  int fd, yes = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    if (fd >= MOST_CONNECTIONS) { close(fd); continue; }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    connections[fd] = calloc(1, sizeof(Connection));
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
  }
}

static int listen_anywhere(void) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof place;
  if (bind(listener, (struct sockaddr *)&place, size) || listen(listener, 4096)) exit(1);
  getsockname(listener, (struct sockaddr *)&place, &size);
  printf("%d\n", ntohs(place.sin_port));
  fflush(stdout);
  return listener;
}

int main(int count, char **words) {
  if (count > 1) takes_ms = strtoull(words[1], NULL, 10);
  if (count > 2) retry_s = strtoull(words[2], NULL, 10);
  if (count > 3) most_vms = (uint32_t)strtoul(words[3], NULL, 10);
  began_at = now_ms() - 1;
  answered_at = calloc(most_vms, sizeof *answered_at);
  posted = calloc(most_vms, 1);
  ended = calloc(most_vms, 1);
  int made = snprintf(signature, sizeof signature, "t=638992800000000000&c=");
  memset(signature + made, 'M', 2800);
  made += 2800;
  made += snprintf(signature + made, 8, "&s=");
  memset(signature + made, 'S', 342);
  made += 342;
  made += snprintf(signature + made, 8, "&h=");
  memset(signature + made, 'H', 43);
  int listener = listen_anywhere(), poller = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[256];
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  event.data.fd = 0;
  epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event);
  for (;;) {
    int found = epoll_wait(poller, ready, 256, -1);
    for (int n = 0; n < found; n++) {
      char left[64];
      if (ready[n].data.fd == 0 && read(0, left, sizeof left) <= 0) return 0;
      if (ready[n].data.fd == listener) welcome(listener, poller);
      else if (ready[n].data.fd) serve(ready[n].data.fd);
    }
  }
}
