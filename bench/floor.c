// The floor: what a keep-alive request costs in the kernel alone. One thread waits with epoll, edge-triggered, and
// answers everything that ends with an empty line with the same bytes. It parses nothing: no server can be cheaper.
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// Its date is the start's: a cache in front must not take the answer for an old one.
static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n"
                             "Date: %a, %d %b %Y %H:%M:%S GMT\r\nServer: floor\r\n\r\nHello, World!";
static char answer[256];
static size_t answer_length;
static const int ON = 1;

static int listening(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &ON, sizeof ON);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) exit(1);
  return listener;
}

static void watch(int poller, int fd, unsigned events) {
  struct epoll_event event = {.events = events, .data = {.fd = fd}};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) exit(1);
}

static void take(int poller, int listener) {
  int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (client < 0) return;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &ON, sizeof ON);
  watch(poller, client, EPOLLIN | EPOLLET);
}

static void serve(int client) {
  static char head[16384];
  ssize_t length = recv(client, head, sizeof head, 0);
  if (length <= 0)
    close(client);
  else if (length >= 4 && memcmp(head + length - 4, "\r\n\r\n", 4) == 0)
    send(client, answer, answer_length, MSG_NOSIGNAL);
}

int main(int count, char **arguments) {
  if (count != 2) return 2;
  time_t now = time(NULL);
  answer_length = strftime(answer, sizeof answer, ANSWER, gmtime(&now));
  int listener = listening(atoi(arguments[1])), poller = epoll_create1(0);
  struct epoll_event ready[256];
  watch(poller, listener, EPOLLIN);
  for (;;) {
    int found = epoll_wait(poller, ready, 256, -1);
    for (int i = 0; i < found; i++) {
      if (ready[i].data.fd == listener)
        take(poller, listener);
      else
        serve(ready[i].data.fd);
    }
  }
}
