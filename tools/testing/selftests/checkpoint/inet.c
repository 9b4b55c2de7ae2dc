// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: TCP and UDP sockets that are not connections, and netlink.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/kcmp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/if.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

/* As <netinet/tcp.h> and <netinet/udp.h>, which know fewer options. */
#define SOL_TCP			6
#define SOL_UDP			17
#define TCP_LISTEN		10
#define UDP_ENCAP_L2TPINUDP	3

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE		136
#endif
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE	51
#endif
#ifndef IPV6_RECVERR_RFC4884
#define IPV6_RECVERR_RFC4884	31
#endif

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t addr_len(const union addr *addr)
{
	return addr->sa.sa_family == AF_INET6 ? sizeof(addr->in6) : sizeof(addr->in);
}

static union addr make_addr(const char *text, int port)
{
	union addr addr = {};

	if (strchr(text, ':')) {
		addr.in6.sin6_family = AF_INET6;
		addr.in6.sin6_port = htons(port);
		CHECK_EQ(1, inet_pton(AF_INET6, text, &addr.in6.sin6_addr));
	} else {
		addr.in.sin_family = AF_INET;
		addr.in.sin_port = htons(port);
		CHECK_EQ(1, inet_pton(AF_INET, text, &addr.in.sin_addr));
	}
	return addr;
}

static int port_of(const union addr *addr)
{
	return ntohs(addr->sa.sa_family == AF_INET6 ? addr->in6.sin6_port :
						      addr->in.sin_port);
}

static union addr name_of(int fd)
{
	union addr addr = {};
	socklen_t len = sizeof(addr);

	CHECK_EQ(0, getsockname(fd, &addr.sa, &len));
	CHECK_EQ(addr_len(&addr), len);
	return addr;
}

static void check_name(int fd, const union addr *want)
{
	union addr now = name_of(fd);

	CHECK_MEM(want, &now, sizeof(now));
}

static int get(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int val = 0;

	CHECK_EQ(0, getsockopt(fd, level, name, &val, &len));
	return val;
}

static void set(int fd, int level, int name, int val)
{
	if (setsockopt(fd, level, name, &val, sizeof(val)))
		subject_fail(__FILE__, __LINE__, "setsockopt %d:%d: errno %d", level,
			     name, errno);
}

static int make(int family, int type, int flags)
{
	int fd = socket(family, type | flags, 0);

	CHECK(fd >= 0);
	return fd;
}

static union addr bind_to(int fd, const char *text, int port)
{
	union addr addr = make_addr(text, port);

	CHECK_EQ(0, bind(fd, &addr.sa, addr_len(&addr)));
	return name_of(fd);
}

/* A socket that listens, at a port of its own choice. */
static int listener(const char *text, int flags, union addr *addr)
{
	int fd = make(strchr(text, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, flags);

	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	*addr = bind_to(fd, text, 0);
	CHECK_EQ(0, listen(fd, 7));
	return fd;
}

static int connect_to(const char *text, int port)
{
	union addr addr = make_addr(text, port);
	int fd = make(addr.sa.sa_family, SOCK_STREAM, 0);

	CHECK_EQ(0, connect(fd, &addr.sa, addr_len(&addr)));
	return fd;
}

/* That who connects to @port gets to @fd. */
static void check_accepts(int fd, const char *text, int port)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int client = connect_to(text, port), server;
	struct pollfd in = { .fd = fd, .events = POLLIN };
	char c = 0;

	/* connect() may be back before the other end has heard of it */
	CHECK_EQ(1, poll(&in, 1, -1));
	/* who connects may be told of it before who listens */
	CHECK_EQ(1, poll(&p, 1, 20000));
	server = accept(fd, NULL, NULL);
	CHECK(server >= 0);
	CHECK_EQ(1, write(client, "x", 1));
	CHECK_EQ(1, read(server, &c, 1));
	CHECK_EQ('x', c);
	/* so that it is not the port of the listener that has to wait */
	CHECK_EQ(0, close(client));
	CHECK_EQ(0, read(server, &c, 1));
	CHECK_EQ(0, close(server));
}

static void check_sock(int fd, int family, int type, int protocol)
{
	CHECK_EQ(family, get(fd, SOL_SOCKET, SO_DOMAIN));
	CHECK_EQ(type, get(fd, SOL_SOCKET, SO_TYPE));
	CHECK_EQ(protocol, get(fd, SOL_SOCKET, SO_PROTOCOL));
}

static int polled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static int tcp_state(int fd, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	CHECK_EQ(0, getsockopt(fd, SOL_TCP, TCP_INFO, info, &len));
	return info->tcpi_state;
}

/* ---- TCP ---- */

/* Neither bound nor anything; each still works. */
SUBJECT(tcp_new)
{
	int v4 = make(AF_INET, SOCK_STREAM, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int v6 = make(AF_INET6, SOCK_STREAM, 0), other = dup(v6);
	union addr none4 = make_addr("0.0.0.0", 0), none6 = make_addr("::", 0), addr;
	int all = O_NONBLOCK | O_APPEND | O_NOATIME, fd;
	struct stat st;

	CHECK_EQ(0, fchmod(v6, 0640));
	CHECK_EQ(0, fcntl(v4, F_SETFL, all));
	subject_point();
	check_sock(v4, AF_INET, SOCK_STREAM, IPPROTO_TCP);
	check_sock(v6, AF_INET6, SOCK_STREAM, IPPROTO_TCP);
	CHECK_EQ(O_RDWR | all, fcntl(v4, F_GETFL));
	CHECK_EQ(FD_CLOEXEC, fcntl(v4, F_GETFD));
	CHECK_EQ(O_RDWR, fcntl(v6, F_GETFL));
	CHECK_EQ(0, fcntl(v6, F_GETFD));
	check_name(v4, &none4);
	check_name(v6, &none6);
	CHECK_EQ(POLLOUT | POLLHUP, polled(v4));
	CHECK_EQ(0, fstat(v6, &st));
	CHECK_EQ(S_IFSOCK | 0640, st.st_mode);
	CHECK_EQ(0, fstat(v4, &st));
	CHECK_EQ(S_IFSOCK | 0777, st.st_mode);
	CHECK_EQ(getuid(), st.st_uid);

	/* one description */
	CHECK_EQ(0, fcntl(other, F_SETFL, O_NONBLOCK));
	CHECK_EQ(O_RDWR | O_NONBLOCK, fcntl(v6, F_GETFL));
	CHECK_EQ(0, fcntl(other, F_SETFL, 0));

	fd = listener("::1", 0, &addr);
	CHECK_EQ(0, connect(v6, &addr.sa, sizeof(addr.in6)));
	CHECK_EQ(1, write(v6, "y", 1));
	CHECK_EQ(0, close(fd));
}

/* Bound, but not listening: they do so afterwards. */
SUBJECT(tcp_bound)
{
	union addr fixed, any, chosen, only6, no_port, was;
	int fds[5], i;

	for (i = 0; i < 3; i++)
		fds[i] = make(AF_INET, SOCK_STREAM, 0);
	fixed = bind_to(fds[0], "127.0.0.1", 4001);
	any = bind_to(fds[1], "0.0.0.0", 4002);
	chosen = bind_to(fds[2], "127.0.0.2", 0);
	CHECK(port_of(&chosen));
	fds[3] = make(AF_INET6, SOCK_STREAM, 0);
	set(fds[3], SOL_IPV6, IPV6_V6ONLY, 1);
	only6 = bind_to(fds[3], "::", 4003);
	fds[4] = make(AF_INET, SOCK_STREAM, 0);
	set(fds[4], SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	no_port = bind_to(fds[4], "127.0.0.3", 0);
	CHECK_EQ(0, port_of(&no_port));
	subject_point();
	check_name(fds[0], &fixed);
	check_name(fds[1], &any);
	check_name(fds[2], &chosen);
	check_name(fds[3], &only6);
	check_name(fds[4], &no_port);
	CHECK_EQ(1, get(fds[3], SOL_IPV6, IPV6_V6ONLY));
	for (i = 0; i < 4; i++) {
		CHECK_EQ(0, get(fds[i], SOL_SOCKET, SO_ACCEPTCONN));
		CHECK_EQ(0, get(fds[i], SOL_SOCKET, SO_REUSEADDR));
		/* twice is once too often */
		was = make_addr(i == 3 ? "::" : "0.0.0.0", 0);
		CHECK_EQ(-1, bind(fds[i], &was.sa, addr_len(&was)));
		CHECK_EQ(EINVAL, errno);
		CHECK_EQ(0, listen(fds[i], 1));
	}
	/* the v4 port is free */
	i = make(AF_INET, SOCK_STREAM, 0);
	bind_to(i, "0.0.0.0", 4003);
	CHECK_EQ(0, close(i));

	/* to stop listening gives up a port that was not asked for */
	for (i = 0; i < 4; i++)
		CHECK_EQ(0, shutdown(fds[i], SHUT_RDWR));
	i = make(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(-1, bind(i, &fixed.sa, addr_len(&fixed)));
	CHECK_EQ(EADDRINUSE, errno);
	CHECK_EQ(0, bind(i, &chosen.sa, addr_len(&chosen)));
}

SUBJECT(tcp_listening)
{
	int v4, v6, dual, none, accepted;
	union addr a4, a6, adual, anone;
	struct tcp_info info;

	v4 = listener("127.0.0.1", SOCK_NONBLOCK, &a4);
	v6 = listener("::1", 0, &a6);
	dual = listener("::", 0, &adual);
	set(dual, SOL_TCP, TCP_FASTOPEN, 5);
	/* the port is one that listen() chose */
	none = make(AF_INET, SOCK_STREAM, 0);
	set(none, SOL_SOCKET, SO_REUSEADDR, 1);
	CHECK_EQ(0, listen(none, 3));
	anone = name_of(none);
	CHECK(port_of(&anone));
	/* it has been in use */
	check_accepts(v6, "::1", port_of(&a6));
	subject_point();
	check_name(v4, &a4);
	check_name(v6, &a6);
	check_name(dual, &adual);
	check_name(none, &anone);
	CHECK_EQ(TCP_LISTEN, tcp_state(v4, &info));
	CHECK_EQ(7, info.tcpi_sacked);
	CHECK_EQ(0, info.tcpi_unacked);
	CHECK_EQ(TCP_LISTEN, tcp_state(none, &info));
	CHECK_EQ(3, info.tcpi_sacked);
	CHECK_EQ(5, get(dual, SOL_TCP, TCP_FASTOPEN));
	CHECK_EQ(1, get(v4, SOL_SOCKET, SO_ACCEPTCONN));
	CHECK_EQ(1, get(v4, SOL_SOCKET, SO_REUSEADDR));
	CHECK_EQ(1, get(v6, SOL_IPV6, IPV6_V6ONLY));
	CHECK_EQ(0, get(dual, SOL_IPV6, IPV6_V6ONLY));
	CHECK_EQ(O_RDWR | O_NONBLOCK, fcntl(v4, F_GETFL));
	CHECK_EQ(0, polled(v4));
	accepted = accept(v4, NULL, NULL);
	CHECK_EQ(-1, accepted);
	CHECK_EQ(EAGAIN, errno);
	check_accepts(v4, "127.0.0.1", port_of(&a4));
	check_accepts(v6, "::1", port_of(&a6));
	check_accepts(dual, "::1", port_of(&adual));
	check_accepts(dual, "127.0.0.1", port_of(&adual));
	check_accepts(none, "127.0.0.1", port_of(&anone));
	/* the backlog is no more than what was asked for */
	CHECK_EQ(0, listen(v4, 9));
	tcp_state(v4, &info);
	CHECK_EQ(9, info.tcpi_sacked);
}

/* The one that is bound only has to be bound before the other one listens. */
SUBJECT(tcp_shared_port)
{
	int first, second, bound[2], i;
	union addr addr, other;
	pid_t pid;

	bound[0] = make(AF_INET, SOCK_STREAM, 0);
	bound[1] = make(AF_INET, SOCK_STREAM, 0);
	for (i = 0; i < 2; i++) {
		set(bound[i], SOL_SOCKET, SO_REUSEADDR, 1);
		other = bind_to(bound[i], "127.0.0.1", 4010);
	}
	CHECK_EQ(0, listen(bound[0], 1));

	first = make(AF_INET, SOCK_STREAM, SOCK_NONBLOCK);
	set(first, SOL_SOCKET, SO_REUSEPORT, 1);
	addr = bind_to(first, "127.0.0.1", 0);
	CHECK_EQ(0, listen(first, 5));
	pid = fork();
	if (!pid) {
		close(first);
		second = make(AF_INET, SOCK_STREAM, SOCK_NONBLOCK);
		set(second, SOL_SOCKET, SO_REUSEPORT, 1);
		bind_to(second, "127.0.0.1", port_of(&addr));
		CHECK_EQ(0, listen(second, 5));
		subject_touch("child");
		subject_wait("first-closed");
		CHECK_EQ(1, get(second, SOL_SOCKET, SO_REUSEPORT));
		check_name(second, &addr);
		check_accepts(second, "127.0.0.1", port_of(&addr));
		_exit(0);
	}
	subject_wait("child");
	subject_point();
	check_name(first, &addr);
	check_name(bound[0], &other);
	check_name(bound[1], &other);
	CHECK_EQ(1, get(bound[0], SOL_SOCKET, SO_ACCEPTCONN));
	CHECK_EQ(0, get(bound[1], SOL_SOCKET, SO_ACCEPTCONN));
	CHECK_EQ(-1, listen(bound[1], 1));
	CHECK_EQ(EADDRINUSE, errno);
	CHECK_EQ(1, get(first, SOL_SOCKET, SO_REUSEPORT));
	CHECK_EQ(0, close(first));
	subject_touch("first-closed");
	subject_join(pid);
	/* not so yet when they are restarted */
	unlink(subject_path("first-closed"));
}

/* Several processes wait for who connects to the one socket that they have. */
SUBJECT(tcp_prefork)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 77 };
	pid_t sleeper, poller;
	union addr addr;
	int fd, ep, i;

	fd = listener("127.0.0.1", 0, &addr);
	sleeper = fork();
	if (!sleeper) {
		CHECK(accept(fd, NULL, NULL) >= 0);
		_exit(0);
	}
	poller = fork();
	if (!poller) {
		ep = epoll_create1(0);
		CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
		memset(&event, 0, sizeof(event));
		CHECK_EQ(1, epoll_wait(ep, &event, 1, -1));
		CHECK_EQ(77, event.data.u64);
		CHECK_EQ(EPOLLIN, event.events);
		_exit(0);
	}
	CHECK_EQ(0, ckpt_wait_state(sleeper, 'S'));
	CHECK_EQ(0, ckpt_wait_state(poller, 'S'));
	subject_point();
	CHECK_EQ(0, syscall(SYS_kcmp, getpid(), sleeper, KCMP_FILE, fd, fd));
	CHECK_EQ(0, syscall(SYS_kcmp, getpid(), poller, KCMP_FILE, fd, fd));
	CHECK_EQ(0, waitpid(sleeper, NULL, WNOHANG));
	CHECK_EQ(0, waitpid(poller, NULL, WNOHANG));
	/* whoever is first, in the end there is one for each */
	for (i = 0; i < 2; i++)
		connect_to("127.0.0.1", port_of(&addr));
	subject_join(sleeper);
	subject_join(poller);
}

/* What failed may be tried again; what was shut down stays so. */
SUBJECT(tcp_failed)
{
	int failed = make(AF_INET, SOCK_STREAM, 0), down, fd;
	union addr nobody = make_addr("127.0.0.1", 4020), was, addr;
	char c;

	bind_to(failed, "127.0.0.1", 4021);
	CHECK_EQ(-1, connect(failed, &nobody.sa, sizeof(nobody.in)));
	CHECK_EQ(ECONNREFUSED, errno);
	was = name_of(failed);
	down = make(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(-1, shutdown(down, SHUT_RD));
	CHECK_EQ(ENOTCONN, errno);
	CHECK(polled(down) & POLLIN);
	subject_point();
	check_name(failed, &was);
	CHECK_EQ(4021, port_of(&was));
	CHECK(polled(down) & POLLIN);
	CHECK_EQ(POLLOUT | POLLHUP, polled(failed));
	CHECK_EQ(-1, read(failed, &c, 1));
	CHECK_EQ(ENOTCONN, errno);
	fd = listener("127.0.0.1", 0, &addr);
	CHECK_EQ(0, connect(failed, &addr.sa, sizeof(addr.in)));
	CHECK_EQ(0, close(fd));
}

/* ---- options ---- */

struct opt {
	int level, name, val;
};

static const struct opt any_opts[] = {
	{ SOL_SOCKET, SO_REUSEADDR, 1 }, { SOL_SOCKET, SO_REUSEPORT, 1 },
	{ SOL_SOCKET, SO_KEEPALIVE, 1 }, { SOL_SOCKET, SO_PRIORITY, 3 },
	{ SOL_SOCKET, SO_MARK, 0x1234 }, { SOL_SOCKET, SO_DONTROUTE, 1 },
	{ SOL_SOCKET, SO_RCVBUF, 30000 }, { SOL_SOCKET, SO_SNDBUF, 40000 },
	{ SOL_SOCKET, SO_TIMESTAMPNS, 1 },
	{ SOL_IP, IP_TOS, 0x48 }, { SOL_IP, IP_TTL, 33 }, { SOL_IP, IP_MINTTL, 2 },
	{ SOL_IP, IP_PKTINFO, 1 }, { SOL_IP, IP_RECVTTL, 1 }, { SOL_IP, IP_RECVTOS, 1 },
	{ SOL_IP, IP_RECVOPTS, 1 }, { SOL_IP, IP_RETOPTS, 1 }, { SOL_IP, IP_PASSSEC, 1 },
	{ SOL_IP, IP_RECVORIGDSTADDR, 1 }, { SOL_IP, IP_RECVERR, 1 },
	{ SOL_IP, IP_RECVERR_RFC4884, 1 },
	{ SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO }, { SOL_IP, IP_FREEBIND, 1 },
	{ SOL_IP, IP_TRANSPARENT, 1 }, { SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1 },
	{ SOL_IP, IP_LOCAL_PORT_RANGE, 40100 << 16 | 40000 },
	{ SOL_IP, IP_MULTICAST_LOOP, 0 }, { SOL_IP, IP_MULTICAST_ALL, 0 },
	{ }
};

static const struct opt v6_opts[] = {
	{ SOL_IPV6, IPV6_V6ONLY, 1 }, { SOL_IPV6, IPV6_TCLASS, 0x64 },
	{ SOL_IPV6, IPV6_UNICAST_HOPS, 44 }, { SOL_IPV6, IPV6_MINHOPCOUNT, 3 },
	{ SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO },
	{ SOL_IPV6, IPV6_DONTFRAG, 1 }, { SOL_IPV6, IPV6_AUTOFLOWLABEL, 0 },
	{ SOL_IPV6, IPV6_FLOWINFO_SEND, 1 },
	{ SOL_IPV6, IPV6_ADDR_PREFERENCES, IPV6_PREFER_SRC_PUBLIC },
	{ SOL_IPV6, IPV6_RECVERR, 1 }, { SOL_IPV6, IPV6_RECVERR_RFC4884, 1 },
	{ SOL_IPV6, IPV6_RECVPKTINFO, 1 }, { SOL_IPV6, IPV6_RECVHOPLIMIT, 1 },
	{ SOL_IPV6, IPV6_RECVRTHDR, 1 }, { SOL_IPV6, IPV6_RECVHOPOPTS, 1 },
	{ SOL_IPV6, IPV6_RECVDSTOPTS, 1 }, { SOL_IPV6, IPV6_RECVTCLASS, 1 },
	{ SOL_IPV6, IPV6_RECVPATHMTU, 1 }, { SOL_IPV6, IPV6_RECVORIGDSTADDR, 1 },
	{ SOL_IPV6, IPV6_RECVFRAGSIZE, 1 }, { SOL_IPV6, IPV6_FLOWINFO, 1 },
	{ SOL_IPV6, IPV6_2292PKTINFO, 1 }, { SOL_IPV6, IPV6_2292HOPLIMIT, 1 },
	{ SOL_IPV6, IPV6_2292RTHDR, 1 }, { SOL_IPV6, IPV6_2292HOPOPTS, 1 },
	{ SOL_IPV6, IPV6_2292DSTOPTS, 1 }, { SOL_IPV6, IPV6_MULTICAST_LOOP, 0 },
	{ SOL_IPV6, IPV6_MULTICAST_ALL, 0 },
	{ }
};

static const struct opt tcp_opts[] = {
	{ SOL_TCP, TCP_MAXSEG, 1000 }, { SOL_TCP, TCP_NODELAY, 1 },
	{ SOL_TCP, TCP_CORK, 1 }, { SOL_TCP, TCP_KEEPIDLE, 100 },
	{ SOL_TCP, TCP_KEEPINTVL, 11 }, { SOL_TCP, TCP_KEEPCNT, 4 },
	{ SOL_TCP, TCP_SYNCNT, 3 }, { SOL_TCP, TCP_LINGER2, 17 },
	{ SOL_TCP, TCP_DEFER_ACCEPT, 10 }, { SOL_TCP, TCP_WINDOW_CLAMP, 20000 },
	{ SOL_TCP, TCP_QUICKACK, 0 }, { SOL_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1 },
	{ SOL_TCP, TCP_USER_TIMEOUT, 12345 }, { SOL_TCP, TCP_FASTOPEN, 6 },
	{ SOL_TCP, TCP_FASTOPEN_NO_COOKIE, 1 }, { SOL_TCP, TCP_TX_DELAY, 7 },
	{ SOL_TCP, TCP_NOTSENT_LOWAT, 4096 }, { SOL_TCP, TCP_INQ, 1 },
	{ SOL_TCP, TCP_SAVE_SYN, 1 }, { SOL_TCP, TCP_FASTOPEN_CONNECT, 1 },
	{ SOL_SOCKET, SO_RCVLOWAT, 12 },
	{ }
};

static const struct opt udp_opts[] = {
	{ SOL_SOCKET, SO_BROADCAST, 1 }, { SOL_SOCKET, SO_NO_CHECK, 1 },
	{ SOL_SOCKET, SO_RXQ_OVFL, 1 }, { SOL_SOCKET, SO_PEEK_OFF, 0 },
	{ SOL_IP, IP_MULTICAST_TTL, 9 }, { SOL_IP, IP_CHECKSUM, 1 },
	{ SOL_IP, IP_RECVFRAGSIZE, 1 },
	{ SOL_UDP, UDP_CORK, 1 }, { SOL_UDP, UDP_NO_CHECK6_TX, 1 },
	{ SOL_UDP, UDP_NO_CHECK6_RX, 1 }, { SOL_UDP, UDP_SEGMENT, 1200 },
	{ SOL_UDP, UDP_GRO, 1 },
	{ }
};

static const struct opt udp6_opts[] = {
	{ SOL_IPV6, IPV6_MULTICAST_HOPS, 21 },
	{ }
};

#define MAX_OPTS	256

static int opts_set(int fd, const struct opt *opts, int *was)
{
	int i, before;

	for (i = 0; opts[i].level; i++) {
		before = get(fd, opts[i].level, opts[i].name);
		set(fd, opts[i].level, opts[i].name, opts[i].val);
		was[i] = get(fd, opts[i].level, opts[i].name);
		/* a value that is the default proves nothing */
		if (before == was[i])
			subject_fail(__FILE__, __LINE__, "option %d:%d is %d anyway",
				     opts[i].level, opts[i].name, before);
	}
	return i;
}

/* Some set others: tell them all when all are set. */
static void opts_get(int fd, const struct opt *opts, int *was)
{
	int i;

	for (i = 0; opts[i].level; i++)
		was[i] = get(fd, opts[i].level, opts[i].name);
}

static void opts_check(int fd, const struct opt *opts, const int *was)
{
	int i, now;

	for (i = 0; opts[i].level; i++) {
		now = get(fd, opts[i].level, opts[i].name);
		if (now != was[i])
			subject_fail(__FILE__, __LINE__, "option %d:%d is %d, was %d",
				     opts[i].level, opts[i].name, now, was[i]);
	}
}

static void check_options(int family, int type, const struct opt *own,
			  const struct opt *own6)
{
	const struct opt *lists[] = { any_opts, own, v6_opts, own6 };
	int nr = family == AF_INET6 ? (own6 ? 4 : 3) : 2, i;
	static int was[4][MAX_OPTS], plain[4][MAX_OPTS];
	int fd = make(family, type, 0), untouched = make(family, type, 0);

	for (i = 0; i < nr; i++) {
		opts_get(untouched, lists[i], plain[i]);
		opts_set(fd, lists[i], was[i]);
	}
	for (i = 0; i < nr; i++)
		opts_get(fd, lists[i], was[i]);
	subject_point();
	for (i = 0; i < nr; i++) {
		opts_check(fd, lists[i], was[i]);
		opts_check(untouched, lists[i], plain[i]);
	}
}

SUBJECT(tcp_options)
{
	check_options(AF_INET, SOCK_STREAM, tcp_opts, NULL);
}

SUBJECT(tcp6_options)
{
	check_options(AF_INET6, SOCK_STREAM, tcp_opts, NULL);
}

SUBJECT(udp_options)
{
	check_options(AF_INET, SOCK_DGRAM, udp_opts, NULL);
}

SUBJECT(udp6_options)
{
	check_options(AF_INET6, SOCK_DGRAM, udp_opts, udp6_opts);
}

/* Those that are no numbers; and defaults that were not chosen stay such. */
SUBJECT(other_options)
{
	int reno = make(AF_INET, SOCK_STREAM, 0), dev = make(AF_INET6, SOCK_DGRAM, 0);
	int plain = make(AF_INET, SOCK_STREAM, 0), fd, server;
	struct linger ling = { .l_onoff = 1, .l_linger = 9 };
	struct timeval tv = { .tv_sec = 5, .tv_usec = 500000 };
	char name[32], def[32];
	union addr addr, daddr;
	socklen_t len;

	len = sizeof(def);
	CHECK_EQ(0, getsockopt(plain, SOL_TCP, TCP_CONGESTION, def, &len));
	CHECK_EQ(0, setsockopt(reno, SOL_TCP, TCP_CONGESTION, "reno", 4));
	CHECK_EQ(0, setsockopt(reno, SOL_SOCKET, SO_LINGER, &ling, sizeof(ling)));
	CHECK_EQ(0, setsockopt(reno, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	CHECK_EQ(0, setsockopt(dev, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2));
	daddr = bind_to(dev, "::1", 0);
	/* bound to a device after it was bound */
	fd = listener("127.0.0.1", 0, &addr);
	CHECK_EQ(0, setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2));
	subject_point();
	memset(name, 0, sizeof(name));
	len = sizeof(name);
	CHECK_EQ(0, getsockopt(reno, SOL_TCP, TCP_CONGESTION, name, &len));
	CHECK(!strcmp("reno", name));
	len = sizeof(name);
	CHECK_EQ(0, getsockopt(plain, SOL_TCP, TCP_CONGESTION, name, &len));
	CHECK(!strcmp(def, name));
	memset(&ling, 0, sizeof(ling));
	len = sizeof(ling);
	CHECK_EQ(0, getsockopt(reno, SOL_SOCKET, SO_LINGER, &ling, &len));
	CHECK_EQ(1, ling.l_onoff);
	CHECK_EQ(9, ling.l_linger);
	memset(&tv, 0, sizeof(tv));
	len = sizeof(tv);
	CHECK_EQ(0, getsockopt(reno, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
	CHECK_EQ(5, tv.tv_sec);
	CHECK_EQ(500000, tv.tv_usec);
	memset(name, 0, sizeof(name));
	len = sizeof(name);
	CHECK_EQ(0, getsockopt(dev, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	CHECK(!strcmp("lo", name));
	check_name(dev, &daddr);
	memset(name, 0, sizeof(name));
	len = sizeof(name);
	CHECK_EQ(0, getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	CHECK(!strcmp("lo", name));
	len = sizeof(name);
	CHECK_EQ(0, getsockopt(plain, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	CHECK_EQ(0, len);
	server = connect_to("127.0.0.1", port_of(&addr));
	CHECK_EQ(0, close(server));
}

/* ---- UDP ---- */

static void send_to(int fd, const union addr *to, const char *text)
{
	CHECK_EQ(strlen(text), sendto(fd, text, strlen(text), 0, &to->sa,
				      addr_len(to)));
}

/* The next datagram, and who sent it. */
static void check_recv(int fd, const char *text, const union addr *from)
{
	union addr addr = {};
	socklen_t len = sizeof(addr);
	char buf[256] = "";
	ssize_t n;

	n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, &addr.sa, &len);
	CHECK_EQ(strlen(text), n);
	CHECK_MEM(text, buf, n);
	CHECK_MEM(from, &addr, sizeof(addr));
}

static void check_nothing(int fd)
{
	char c;

	CHECK_EQ(-1, recv(fd, &c, 1, MSG_DONTWAIT));
	CHECK_EQ(EAGAIN, errno);
}

SUBJECT(udp_bound)
{
	int fds[4], plain = make(AF_INET, SOCK_DGRAM, SOCK_NONBLOCK), i, sender;
	union addr addrs[4], none = make_addr("0.0.0.0", 0), sent, from;

	for (i = 0; i < 4; i++)
		fds[i] = make(i < 2 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
	addrs[0] = bind_to(fds[0], "127.0.0.1", 4030);
	addrs[1] = bind_to(fds[1], "0.0.0.0", 0);
	addrs[2] = bind_to(fds[2], "::1", 4030);
	addrs[3] = bind_to(fds[3], "::", 4031);
	/* to send gives it a port */
	sender = make(AF_INET, SOCK_DGRAM, 0);
	send_to(sender, &addrs[0], "first");
	sent = name_of(sender);
	CHECK(port_of(&sent));
	from = make_addr("127.0.0.1", port_of(&sent));
	check_recv(fds[0], "first", &from);
	subject_point();
	check_sock(plain, AF_INET, SOCK_DGRAM, IPPROTO_UDP);
	check_sock(fds[2], AF_INET6, SOCK_DGRAM, IPPROTO_UDP);
	CHECK_EQ(O_RDWR | O_NONBLOCK, fcntl(plain, F_GETFL));
	check_name(plain, &none);
	for (i = 0; i < 4; i++) {
		check_name(fds[i], &addrs[i]);
		check_nothing(fds[i]);
		CHECK_EQ(POLLOUT, polled(fds[i]));
	}
	check_name(sender, &sent);
	send_to(sender, &addrs[0], "second");
	check_recv(fds[0], "second", &from);
	/* that one has both families */
	addrs[3] = make_addr("127.0.0.1", 4031);
	send_to(sender, &addrs[3], "third");
	from = make_addr("::ffff:127.0.0.1", port_of(&sent));
	check_recv(fds[3], "third", &from);
}

/* Connected by address, and what was chosen by the way goes with it. */
SUBJECT(udp_connected)
{
	int v4 = make(AF_INET, SOCK_DGRAM, 0), v6 = make(AF_INET6, SOCK_DGRAM, 0);
	int mapped = make(AF_INET6, SOCK_DGRAM, 0), peer = make(AF_INET6, SOCK_DGRAM, 0);
	int bound = make(AF_INET, SOCK_DGRAM, 0), down = make(AF_INET, SOCK_DGRAM, 0);
	union addr names[5], peers[5], now, addr;
	int fds[] = { v4, v6, mapped, bound, down }, i;
	socklen_t len;
	char c;

	bind_to(peer, "::", 4040);
	bind_to(bound, "127.0.0.9", 4041);
	for (i = 0; i < 5; i++) {
		peers[i] = make_addr(i == 1 ? "::1" : i == 2 ? "::ffff:127.0.0.1" :
				     "127.0.0.1", 4040);
		CHECK_EQ(0, connect(fds[i], &peers[i].sa, addr_len(&peers[i])));
		names[i] = name_of(fds[i]);
		CHECK(port_of(&names[i]));
	}
	CHECK_EQ(0, shutdown(down, SHUT_WR));
	subject_point();
	for (i = 0; i < 5; i++) {
		check_name(fds[i], &names[i]);
		memset(&now, 0, sizeof(now));
		len = sizeof(now);
		CHECK_EQ(0, getpeername(fds[i], &now.sa, &len));
		CHECK_MEM(&peers[i], &now, sizeof(now));
	}
	CHECK_EQ(-1, send(down, "x", 1, MSG_NOSIGNAL));
	CHECK_EQ(EPIPE, errno);
	CHECK_EQ(2, write(v4, "v4", 2));
	now = make_addr("::ffff:127.0.0.1", port_of(&names[0]));
	check_recv(peer, "v4", &now);
	CHECK_EQ(2, write(v6, "v6", 2));
	check_recv(peer, "v6", &names[1]);
	CHECK_EQ(3, write(mapped, "map", 3));
	check_recv(peer, "map", &names[2]);
	/* who else sends is not heard */
	i = make(AF_INET, SOCK_DGRAM, 0);
	send_to(i, &names[0], "stranger");
	check_nothing(v4);
	send_to(peer, &now, "peer");
	CHECK_EQ(POLLIN | POLLOUT, polled(v4));

	/* without the peer, what only came with it goes, too */
	addr = make_addr("0.0.0.0", 0);
	addr.sa.sa_family = AF_UNSPEC;
	CHECK_EQ(0, connect(v4, &addr.sa, sizeof(addr.in)));
	now = name_of(v4);
	CHECK_EQ(0, port_of(&now));
	CHECK_EQ(0, now.in.sin_addr.s_addr);
	CHECK_EQ(0, connect(bound, &addr.sa, sizeof(addr.in)));
	now = name_of(bound);
	CHECK_EQ(4041, port_of(&now));
	CHECK_EQ(inet_addr("127.0.0.9"), now.in.sin_addr.s_addr);
	CHECK_EQ(0, read(down, &c, 0));
}

/* What goes nowhere comes back as an error. */
SUBJECT(udp_error)
{
	int fd = make(AF_INET, SOCK_DGRAM, 0);
	union addr nobody = make_addr("127.0.0.1", 4050);

	CHECK_EQ(0, connect(fd, &nobody.sa, sizeof(nobody.in)));
	CHECK_EQ(1, write(fd, "x", 1));
	CHECK(polled(fd) & POLLERR);
	subject_point();
	CHECK(polled(fd) & POLLERR);
	CHECK_EQ(ECONNREFUSED, get(fd, SOL_SOCKET, SO_ERROR));
	CHECK_EQ(0, get(fd, SOL_SOCKET, SO_ERROR));
	CHECK_EQ(POLLOUT, polled(fd));
}

static char big[65507];

SUBJECT(udp_queue)
{
	int v4 = make(AF_INET, SOCK_DGRAM, 0), v6 = make(AF_INET6, SOCK_DGRAM, 0);
	int s4 = make(AF_INET, SOCK_DGRAM, 0), s6 = make(AF_INET6, SOCK_DGRAM, 0);
	union addr a4, a6, to6, from4, from6, mapped;
	static char seen[sizeof(big)];
	char c;
	int i;

	a4 = bind_to(v4, "127.0.0.1", 0);
	a6 = bind_to(v6, "::", 0);
	to6 = make_addr("::1", port_of(&a6));
	mapped = make_addr("127.0.0.1", port_of(&a6));
	from4 = bind_to(s4, "127.0.0.5", 0);
	from6 = bind_to(s6, "::1", 0);
	send_to(s4, &a4, "read before");
	send_to(s4, &a4, "one");
	/* that puts the others into another queue */
	check_recv(v4, "read before", &from4);
	CHECK_EQ(1, recv(v4, &c, 1, MSG_PEEK));
	send_to(s4, &a4, "");
	send_to(s4, &a4, "three");
	for (i = 0; i < (int)sizeof(big); i++)
		big[i] = i * 7 + i / 256;
	CHECK_EQ(sizeof(big), sendto(s4, big, sizeof(big), 0, &a4.sa, sizeof(a4.in)));
	send_to(s6, &to6, "six");
	send_to(s4, &mapped, "mapped");
	/* smaller than what is in it */
	set(v6, SOL_SOCKET, SO_RCVBUF, 1);
	i = get(v6, SOL_SOCKET, SO_RCVBUF);
	subject_point();
	CHECK_EQ(i, get(v6, SOL_SOCKET, SO_RCVBUF));
	send_to(s4, &a4, "later");
	CHECK_EQ(0, ioctl(v4, FIONREAD, &i));
	CHECK_EQ(3, i);
	CHECK_EQ(POLLIN | POLLOUT, polled(v4));
	check_recv(v4, "one", &from4);
	check_recv(v4, "", &from4);
	check_recv(v4, "three", &from4);
	CHECK_EQ(sizeof(big), recv(v4, seen, sizeof(seen), MSG_DONTWAIT));
	CHECK_MEM(big, seen, sizeof(big));
	check_recv(v4, "later", &from4);
	check_nothing(v4);
	check_recv(v6, "six", &from6);
	mapped = make_addr("::ffff:127.0.0.5", port_of(&from4));
	check_recv(v6, "mapped", &mapped);
	check_nothing(v6);
}

struct told {
	char control[512];
	size_t len;
};

/* All that comes with a datagram. */
static void recv_told(int fd, struct told *told, int flags)
{
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = told->control, .msg_controllen = sizeof(told->control),
	};

	memset(told, 0, sizeof(*told));
	CHECK_EQ(1, recvmsg(fd, &msg, flags | MSG_DONTWAIT));
	CHECK(!(msg.msg_flags & MSG_CTRUNC));
	told->len = msg.msg_controllen;
}

SUBJECT(udp_told)
{
	static const int on4[] = {
		IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVORIGDSTADDR,
	};
	static const int on6[] = {
		IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS,
		IPV6_RECVORIGDSTADDR, IPV6_FLOWINFO, IPV6_2292PKTINFO,
	};
	int v4 = make(AF_INET, SOCK_DGRAM, 0), v6 = make(AF_INET6, SOCK_DGRAM, 0);
	int s4 = make(AF_INET, SOCK_DGRAM, 0), s6 = make(AF_INET6, SOCK_DGRAM, 0);
	struct told want4, want6, now;
	union addr a4, a6;
	size_t i;

	a4 = bind_to(v4, "127.0.0.7", 0);
	a6 = bind_to(v6, "::1", 0);
	for (i = 0; i < ARRAY_SIZE(on4); i++)
		set(v4, SOL_IP, on4[i], 1);
	for (i = 0; i < ARRAY_SIZE(on6); i++)
		set(v6, SOL_IPV6, on6[i], 1);
	set(v4, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	set(v6, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	set(v4, SOL_SOCKET, SO_RXQ_OVFL, 1);
	set(v4, SOL_SOCKET, SO_RCVMARK, 1);
	set(s4, SOL_IP, IP_TTL, 99);
	set(s4, SOL_IP, IP_TOS, 0x20);
	set(s4, SOL_SOCKET, SO_MARK, 0x77);
	set(s6, SOL_IPV6, IPV6_UNICAST_HOPS, 98);
	set(s6, SOL_IPV6, IPV6_TCLASS, 0x24);
	send_to(s4, &a4, "a");
	send_to(s6, &a6, "b");
	/* time stamps may take a moment to begin */
	recv_told(v4, &want4, MSG_PEEK);
	recv_told(v6, &want6, MSG_PEEK);
	CHECK(want4.len > 100);
	CHECK(want6.len > 150);
	subject_point();
	recv_told(v4, &now, 0);
	CHECK_EQ(want4.len, now.len);
	CHECK_MEM(want4.control, now.control, now.len);
	recv_told(v6, &now, 0);
	CHECK_EQ(want6.len, now.len);
	CHECK_MEM(want6.control, now.control, now.len);
	check_nothing(v4);
	check_nothing(v6);
}

SUBJECT(udp_blocked)
{
	int fd = make(AF_INET, SOCK_DGRAM, 0), sender = make(AF_INET, SOCK_DGRAM, 0);
	union addr addr = bind_to(fd, "127.0.0.1", 0);
	char buf[8] = "";
	pid_t pid;

	pid = fork();
	if (!pid) {
		CHECK_EQ(4, recv(fd, buf, sizeof(buf), 0));
		CHECK_MEM("wake", buf, 4);
		_exit(0);
	}
	CHECK_EQ(0, ckpt_wait_state(pid, 'S'));
	subject_point();
	CHECK_EQ(0, waitpid(pid, NULL, WNOHANG));
	send_to(sender, &addr, "wake");
	subject_join(pid);
}

/* Two have a port to themselves. */
SUBJECT(udp_shared_port)
{
	static const int how[] = { SO_REUSEADDR, SO_REUSEPORT };
	union addr addrs[2];
	int fds[2][2], i, k;

	for (i = 0; i < 2; i++) {
		for (k = 0; k < 2; k++) {
			fds[i][k] = make(AF_INET, SOCK_DGRAM, 0);
			set(fds[i][k], SOL_SOCKET, how[i], 1);
			addrs[i] = bind_to(fds[i][k], "127.0.0.1", 4060 + i);
		}
	}
	subject_point();
	for (i = 0; i < 2; i++) {
		for (k = 0; k < 2; k++) {
			check_name(fds[i][k], &addrs[i]);
			CHECK_EQ(1, get(fds[i][k], SOL_SOCKET, how[i]));
			CHECK_EQ(0, get(fds[i][k], SOL_SOCKET, how[!i]));
		}
	}
}

/* ---- netlink ---- */

static int netlink_socket(int protocol)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, protocol);

	CHECK(fd >= 0);
	return fd;
}

static void ask_for_links(int fd)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
	} req = {
		.head = {
			.nlmsg_len = sizeof(req), .nlmsg_type = RTM_GETLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP, .nlmsg_seq = 9,
		},
	};

	CHECK_EQ(sizeof(req), send(fd, &req, sizeof(req), 0));
}

/* The kernel answers, to whom the socket is bound to. */
static void check_links(int fd, unsigned int portid)
{
	static char buf[1 << 16];
	struct nlmsghdr *head = (void *)buf;

	ask_for_links(fd);
	CHECK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > (ssize_t)sizeof(*head));
	CHECK_EQ(RTM_NEWLINK, head->nlmsg_type);
	CHECK_EQ(9, head->nlmsg_seq);
	CHECK_EQ(portid, head->nlmsg_pid);
	/* up to the end */
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	CHECK_EQ(EAGAIN, errno);
}

static unsigned int portid_of(int fd, unsigned int *groups)
{
	struct sockaddr_nl addr = {};
	socklen_t len = sizeof(addr);

	CHECK_EQ(0, getsockname(fd, (struct sockaddr *)&addr, &len));
	CHECK_EQ(AF_NETLINK, addr.nl_family);
	if (groups)
		*groups = addr.nl_groups;
	return addr.nl_pid;
}

/* To send gives it an address. */
static unsigned int named(int fd)
{
	char c;

	ask_for_links(fd);
	while (recv(fd, &c, 1, MSG_DONTWAIT) > 0)
		;
	return portid_of(fd, NULL);
}

SUBJECT(netlink_new)
{
	static const int names[] = {
		NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS,
		NETLINK_LISTEN_ALL_NSID, NETLINK_CAP_ACK, NETLINK_EXT_ACK,
		NETLINK_GET_STRICT_CHK,
	};
	int plain = netlink_socket(NETLINK_ROUTE), fds[ARRAY_SIZE(names)];
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		fds[i] = netlink_socket(NETLINK_ROUTE);
		set(fds[i], SOL_NETLINK, names[i], 1);
	}
	set(plain, SOL_SOCKET, SO_RCVBUF, 30000);
	CHECK_EQ(0, fcntl(plain, F_SETFL, O_APPEND));
	subject_point();
	check_sock(plain, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	CHECK_EQ(O_RDWR | O_APPEND, fcntl(plain, F_GETFL));
	CHECK_EQ(60000, get(plain, SOL_SOCKET, SO_RCVBUF));
	CHECK_EQ(0, portid_of(plain, NULL));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		CHECK_EQ(0, get(plain, SOL_NETLINK, names[i]));
		for (k = 0; k < ARRAY_SIZE(names); k++)
			CHECK_EQ(i == k, get(fds[i], SOL_NETLINK, names[k]));
	}
	ask_for_links(plain);
	CHECK_EQ(getpid(), portid_of(plain, NULL));
}

SUBJECT(netlink_bound)
{
	struct sockaddr_nl addr = {
		.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR,
	};
	int first = netlink_socket(NETLINK_ROUTE), second = netlink_socket(NETLINK_ROUTE);
	int member = netlink_socket(NETLINK_ROUTE), connected, k;
	unsigned int ids[2], groups, want[4] = {}, now[4] = {};
	socklen_t len;
	char c;

	ids[0] = named(first);
	/* the process has one of that name already */
	ids[1] = named(second);
	CHECK(ids[0] != ids[1]);
	addr.nl_pid = 4711;
	CHECK_EQ(0, bind(member, (struct sockaddr *)&addr, sizeof(addr)));
	set(member, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, RTNLGRP_STATS);
	len = sizeof(want);
	CHECK_EQ(0, getsockopt(member, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, want, &len));
	connected = netlink_socket(NETLINK_ROUTE);
	addr.nl_pid = 4711;
	addr.nl_groups = 1 << 3;
	CHECK_EQ(0, connect(connected, (struct sockaddr *)&addr, sizeof(addr)));
	subject_point();
	CHECK_EQ(ids[0], portid_of(first, &groups));
	CHECK_EQ(0, groups);
	CHECK_EQ(ids[1], portid_of(second, NULL));
	CHECK_EQ(4711, portid_of(member, &groups));
	CHECK_EQ(RTMGRP_LINK | RTMGRP_IPV4_IFADDR, groups);
	len = sizeof(now);
	CHECK_EQ(0, getsockopt(member, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, now, &len));
	CHECK_MEM(want, now, sizeof(now));
	memset(&addr, 0, sizeof(addr));
	len = sizeof(addr);
	CHECK_EQ(0, getpeername(connected, (struct sockaddr *)&addr, &len));
	CHECK_EQ(4711, addr.nl_pid);
	CHECK_EQ(1 << 3, addr.nl_groups);
	/* that it missed something, it is told once, if it did */
	k = get(member, SOL_SOCKET, SO_ERROR);
	CHECK(!k || k == ENOBUFS);
	CHECK_EQ(0, get(member, SOL_SOCKET, SO_ERROR));
	CHECK_EQ(0, get(first, SOL_SOCKET, SO_ERROR));
	CHECK_EQ(-1, recv(member, &c, 1, MSG_DONTWAIT));
	CHECK_EQ(EAGAIN, errno);
	check_links(first, ids[0]);
	check_links(second, ids[1]);
	check_links(member, 4711);
}

CKPT_FIXTURE_HOW(inet);
CKPT_VARIANTS(inet);

CKPT_ROUNDTRIP(inet, tcp_new);
CKPT_ROUNDTRIP(inet, tcp_bound);
CKPT_ROUNDTRIP(inet, tcp_listening);
CKPT_ROUNDTRIP(inet, tcp_shared_port);
CKPT_ROUNDTRIP(inet, tcp_prefork);
CKPT_ROUNDTRIP(inet, tcp_failed);
CKPT_ROUNDTRIP(inet, tcp_options);
CKPT_ROUNDTRIP(inet, tcp6_options);
CKPT_ROUNDTRIP(inet, udp_options);
CKPT_ROUNDTRIP(inet, udp6_options);
CKPT_ROUNDTRIP(inet, other_options);
CKPT_ROUNDTRIP(inet, udp_bound);
CKPT_ROUNDTRIP(inet, udp_connected);
CKPT_ROUNDTRIP(inet, udp_error);
CKPT_ROUNDTRIP(inet, udp_queue);
CKPT_ROUNDTRIP(inet, udp_told);
CKPT_ROUNDTRIP(inet, udp_blocked);
CKPT_ROUNDTRIP(inet, udp_shared_port);
CKPT_ROUNDTRIP(inet, netlink_new);
CKPT_ROUNDTRIP(inet, netlink_bound);

/* ---- refused ---- */

SUBJECT(connected)
{
	union addr addr;
	int fd = listener("127.0.0.1", 0, &addr);
	int client = connect_to("127.0.0.1", port_of(&addr)), server;
	char c;

	server = accept(fd, NULL, NULL);
	CHECK(server >= 0);
	CHECK_EQ(0, close(fd));
	subject_point();
	CHECK_EQ(1, write(client, "x", 1));
	CHECK_EQ(1, read(server, &c, 1));
}

/* Of which the other end is closed. */
SUBJECT(half_closed)
{
	union addr addr;
	int fd = listener("127.0.0.1", 0, &addr);
	int client = connect_to("127.0.0.1", port_of(&addr)), server;
	char c;

	server = accept(fd, NULL, NULL);
	CHECK(server >= 0);
	CHECK_EQ(0, close(fd));
	CHECK_EQ(0, close(client));
	subject_point();
	CHECK_EQ(0, read(server, &c, 1));
}

SUBJECT(connecting)
{
	int fd = make(AF_INET, SOCK_STREAM, SOCK_NONBLOCK);
	/* one that lo does not answer for */
	union addr addr = make_addr("127.0.0.1", 4070);
	int full = make(AF_INET, SOCK_STREAM, 0), i;

	set(full, SOL_SOCKET, SO_REUSEADDR, 1);
	bind_to(full, "127.0.0.1", 4070);
	CHECK_EQ(0, listen(full, 0));
	for (i = 0; i < 4; i++)
		connect(make(AF_INET, SOCK_STREAM, SOCK_NONBLOCK), &addr.sa,
			sizeof(addr.in));
	CHECK_EQ(-1, connect(fd, &addr.sa, sizeof(addr.in)));
	CHECK_EQ(EINPROGRESS, errno);
	subject_point();
	CHECK_EQ(0, fcntl(fd, F_GETFD));
}

SUBJECT(waiting)
{
	union addr addr;
	int fd = listener("127.0.0.1", 0, &addr), pipe_fds[2];
	pid_t pid;
	char c;

	/* who connects is no more */
	CHECK_EQ(0, pipe(pipe_fds));
	pid = fork();
	if (!pid) {
		connect_to("127.0.0.1", port_of(&addr));
		_exit(0);
	}
	subject_join(pid);
	CHECK_EQ(POLLIN, polled(fd));
	subject_point();
	fd = accept(fd, NULL, NULL);
	CHECK(fd >= 0);
	CHECK_EQ(0, read(fd, &c, 1));
}

SUBJECT(corked)
{
	int fd = make(AF_INET, SOCK_DGRAM, 0), other = make(AF_INET, SOCK_DGRAM, 0);
	union addr addr = bind_to(other, "127.0.0.1", 0);
	char buf[8];

	CHECK_EQ(2, sendto(fd, "ab", 2, MSG_MORE, &addr.sa, sizeof(addr.in)));
	subject_point();
	CHECK_EQ(2, sendto(fd, "cd", 2, 0, &addr.sa, sizeof(addr.in)));
	CHECK_EQ(4, recv(other, buf, sizeof(buf), 0));
}

/* The label of a datagram is not in the image. */
SUBJECT(labels)
{
	int fd = make(AF_INET, SOCK_DGRAM, 0), other = make(AF_INET, SOCK_DGRAM, 0);
	union addr addr = bind_to(fd, "127.0.0.1", 0);
	char buf[8];

	set(fd, SOL_IP, IP_PASSSEC, 1);
	CHECK_EQ(2, sendto(other, "ab", 2, 0, &addr.sa, sizeof(addr.in)));
	CHECK_EQ(POLLIN | POLLOUT, polled(fd));
	subject_point();
	CHECK_EQ(1, get(fd, SOL_IP, IP_PASSSEC));
	CHECK_EQ(2, recv(fd, buf, sizeof(buf), 0));
	CHECK_MEM("ab", buf, 2);
}

static uint32_t sum16(uint32_t sum, const void *data, size_t len)
{
	uint16_t value;
	size_t i;

	for (i = 0; i < len; i += 2) {
		memcpy(&value, data + i, 2);
		sum += value;
	}
	return sum;
}

/*
 * A datagram from elsewhere, as far as the kernel knows. Its checksum is looked
 * at when somebody receives it, and told.
 */
SUBJECT(checksums)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
		char data[200];
	} packet = {
		.ip = {
			.version = 4,
			.ihl = 5,
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.tot_len = htons(sizeof(packet)),
			.saddr = htonl(INADDR_LOOPBACK),
			.daddr = htonl(INADDR_LOOPBACK),
		},
		.udp.len = htons(sizeof(packet) - sizeof(packet.ip)),
		.data = "checksums",
	};
	int fd = make(AF_INET, SOCK_DGRAM, 0), raw;
	union addr addr = bind_to(fd, "127.0.0.1", 0);
	char buf[sizeof(packet)];
	uint32_t sum;

	set(fd, SOL_IP, IP_CHECKSUM, 1);
	packet.udp.source = htons(9);
	packet.udp.dest = addr.in.sin_port;
	sum = sum16(htons(IPPROTO_UDP) + packet.udp.len, &packet.ip.saddr, 8);
	sum = sum16(sum, &packet.udp, sizeof(packet) - sizeof(packet.ip));
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	packet.udp.check = ~sum;
	raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	CHECK_EQ(sizeof(packet), sendto(raw, &packet, sizeof(packet), 0, &addr.sa,
					sizeof(addr.in)));
	CHECK_EQ(0, close(raw));
	CHECK_EQ(POLLIN | POLLOUT, polled(fd));
	subject_point();
	CHECK_EQ(1, get(fd, SOL_IP, IP_CHECKSUM));
	CHECK_EQ(sizeof(packet.data), recv(fd, buf, sizeof(buf), 0));
	CHECK_MEM(packet.data, buf, sizeof(packet.data));
}

SUBJECT(multicast)
{
	struct ip_mreqn mreq = { .imr_multiaddr.s_addr = inet_addr("239.1.2.3") };
	int fd = make(AF_INET, SOCK_DGRAM, 0);

	mreq.imr_ifindex = if_nametoindex("lo");
	CHECK_EQ(0, setsockopt(fd, SOL_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)));
	subject_point();
	CHECK_EQ(0, setsockopt(fd, SOL_IP, IP_DROP_MEMBERSHIP, &mreq, sizeof(mreq)));
}

SUBJECT(multicast6)
{
	struct ipv6_mreq mreq = { .ipv6mr_interface = if_nametoindex("lo") };
	int fd = make(AF_INET6, SOCK_DGRAM, 0);

	CHECK_EQ(1, inet_pton(AF_INET6, "ff02::123", &mreq.ipv6mr_multiaddr));
	CHECK_EQ(0, setsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &mreq, sizeof(mreq)));
	subject_point();
	CHECK_EQ(0, setsockopt(fd, SOL_IPV6, IPV6_DROP_MEMBERSHIP, &mreq, sizeof(mreq)));
}

SUBJECT(device_by_number)
{
	int fd = make(AF_INET6, SOCK_DGRAM, 0);

	set(fd, SOL_IPV6, IPV6_MULTICAST_IF, if_nametoindex("lo"));
	subject_point();
	CHECK_EQ(if_nametoindex("lo"), get(fd, SOL_IPV6, IPV6_MULTICAST_IF));
}

SUBJECT(device_by_number4)
{
	int fd = make(AF_INET, SOCK_DGRAM, 0);

	set(fd, SOL_IP, IP_UNICAST_IF, htonl(if_nametoindex("lo")));
	subject_point();
	CHECK_EQ(htonl(if_nametoindex("lo")), get(fd, SOL_IP, IP_UNICAST_IF));
}

SUBJECT(ip_options)
{
	static const unsigned char nops[4] = { 1, 1, 1, 0 };
	int fd = make(AF_INET, SOCK_STREAM, 0);

	CHECK_EQ(0, setsockopt(fd, SOL_IP, IP_OPTIONS, nops, sizeof(nops)));
	subject_point();
	CHECK_EQ(0, setsockopt(fd, SOL_IP, IP_OPTIONS, NULL, 0));
}

SUBJECT(headers6)
{
	static const unsigned char hop[8] = { 0, 0, 1, 4 };
	int fd = make(AF_INET6, SOCK_DGRAM, 0);

	CHECK_EQ(0, setsockopt(fd, SOL_IPV6, IPV6_DSTOPTS, hop, sizeof(hop)));
	subject_point();
	CHECK_EQ(0, fcntl(fd, F_GETFD));
}

SUBJECT(flow_label)
{
	struct in6_flowlabel_req req = {
		.flr_label = htonl(0x1234), .flr_action = IPV6_FL_A_GET,
		.flr_share = IPV6_FL_S_ANY, .flr_flags = IPV6_FL_F_CREATE,
	};
	int fd = make(AF_INET6, SOCK_DGRAM, 0);

	CHECK_EQ(1, inet_pton(AF_INET6, "::1", &req.flr_dst));
	CHECK_EQ(0, setsockopt(fd, SOL_IPV6, IPV6_FLOWLABEL_MGR, &req, sizeof(req)));
	subject_point();
	CHECK_EQ(0, fcntl(fd, F_GETFD));
}

SUBJECT(encapsulates)
{
	int fd = make(AF_INET, SOCK_DGRAM, 0);

	set(fd, SOL_UDP, UDP_ENCAP, UDP_ENCAP_L2TPINUDP);
	subject_point();
	CHECK_EQ(3, get(fd, SOL_UDP, UDP_ENCAP));
}

SUBJECT(repair)
{
	int fd = make(AF_INET, SOCK_STREAM, 0);

	set(fd, SOL_TCP, TCP_REPAIR, 1);
	subject_point();
	CHECK_EQ(1, get(fd, SOL_TCP, TCP_REPAIR));
}

SUBJECT(fastopen_key)
{
	int fd = make(AF_INET, SOCK_STREAM, 0);

	CHECK_EQ(0, setsockopt(fd, SOL_TCP, TCP_FASTOPEN_KEY, "0123456789abcdef", 16));
	subject_point();
	CHECK_EQ(0, fcntl(fd, F_GETFD));
}

SUBJECT(left_group)
{
	int fd = make(AF_INET, SOCK_DGRAM, 0);

	set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	bind_to(fd, "127.0.0.1", 0);
	set(fd, SOL_SOCKET, SO_REUSEPORT, 0);
	subject_point();
	CHECK_EQ(0, get(fd, SOL_SOCKET, SO_REUSEPORT));
}

SUBJECT(group_program)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog prog = { 1, &code };
	int fd = make(AF_INET, SOCK_DGRAM, 0);

	set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	bind_to(fd, "127.0.0.1", 0);
	CHECK_EQ(0, setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog,
			       sizeof(prog)));
	subject_point();
	CHECK_EQ(1, get(fd, SOL_SOCKET, SO_REUSEPORT));
}

SUBJECT(address_only)
{
	int fd = make(AF_INET, SOCK_STREAM, 0);

	set(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	bind_to(fd, "127.0.0.1", 0);
	set(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 0);
	subject_point();
	CHECK_EQ(0, get(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT));
}

/* Undone, a connection leaves an address to send from behind. */
SUBJECT(left_over)
{
	int fd = make(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	union addr peer = make_addr("127.0.0.1", 9);

	bind_to(fd, "239.1.1.1", 4092);
	CHECK_EQ(0, connect(fd, &peer.sa, sizeof(peer.in)));
	CHECK_EQ(0, connect(fd, &none, sizeof(none)));
	subject_point();
	CHECK_EQ(9, port_of(&peer));
}

SUBJECT(raw)
{
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);

	CHECK(fd >= 0);
	subject_point();
	CHECK_EQ(IPPROTO_ICMP, get(fd, SOL_SOCKET, SO_PROTOCOL));
}

SUBJECT(raw6)
{
	int fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);

	CHECK(fd >= 0);
	subject_point();
	CHECK_EQ(IPPROTO_ICMPV6, get(fd, SOL_SOCKET, SO_PROTOCOL));
}

SUBJECT(udplite)
{
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);

	CHECK(fd >= 0);
	subject_point();
	CHECK_EQ(IPPROTO_UDPLITE, get(fd, SOL_SOCKET, SO_PROTOCOL));
}

SUBJECT(packet)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM, 0);

	CHECK(fd >= 0);
	subject_point();
	CHECK_EQ(AF_PACKET, get(fd, SOL_SOCKET, SO_DOMAIN));
}

SUBJECT(netlink_busy)
{
	int fd = netlink_socket(NETLINK_ROUTE);

	ask_for_links(fd);
	CHECK_EQ(POLLIN | POLLOUT, polled(fd));
	subject_point();
	CHECK_EQ(POLLIN | POLLOUT, polled(fd));
}

SUBJECT(netlink_other)
{
	int fd = netlink_socket(NETLINK_KOBJECT_UEVENT);

	subject_point();
	CHECK_EQ(NETLINK_KOBJECT_UEVENT, get(fd, SOL_SOCKET, SO_PROTOCOL));
}

SUBJECT(leaked)
{
	subject_point();
	CHECK(fcntl(SUBJECT_FD, F_GETFD) >= 0);
}

CKPT_FIXTURE(refused);

TEST_F_TIMEOUT(refused, connection, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("connected", "is a TCP connection", "fd"));
	EXPECT_EQ(0, ckpt_refused("half_closed", "is a TCP connection", "fd"));
	EXPECT_EQ(0, ckpt_refused("connecting", "is a TCP connection", "fd"));
}

TEST_F_TIMEOUT(refused, not_accepted, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("waiting", "not accepted", "fd"));
}

TEST_F_TIMEOUT(refused, corked, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("corked", "not sent yet", "fd"));
}

TEST_F_TIMEOUT(refused, labels, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("labels", "IP_PASSSEC", "socket:["));
	EXPECT_EQ(0, ckpt_refused("checksums", "IP_CHECKSUM", "socket:["));
}

TEST_F_TIMEOUT(refused, groups, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("multicast", "multicast", "fd"));
	EXPECT_EQ(0, ckpt_refused("multicast6", "multicast", "fd"));
}

TEST_F_TIMEOUT(refused, device_by_number, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("device_by_number", "by its number", "fd"));
	EXPECT_EQ(0, ckpt_refused("device_by_number4", "by its number", "fd"));
}

TEST_F_TIMEOUT(refused, headers, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("ip_options", "headers to send", "fd"));
	EXPECT_EQ(0, ckpt_refused("headers6", "headers to send", "fd"));
	EXPECT_EQ(0, ckpt_refused("flow_label", "flow labels", "fd"));
}

TEST_F_TIMEOUT(refused, encapsulates, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("encapsulates", "UDP_ENCAP", "fd"));
}

TEST_F_TIMEOUT(refused, tcp_state, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("repair", "repair mode", "fd"));
	EXPECT_EQ(0, ckpt_refused("fastopen_key", "TCP_FASTOPEN_KEY", "fd"));
}

TEST_F_TIMEOUT(refused, reuseport, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("left_group", "left SO_REUSEPORT", "fd"));
	EXPECT_EQ(0, ckpt_refused("group_program", "BPF", "fd"));
}

TEST_F_TIMEOUT(refused, address_only, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("address_only", "without a port", "fd"));
	EXPECT_EQ(0, ckpt_refused("left_over", "in a state that is not known", "fd"));
}

TEST_F_TIMEOUT(refused, protocol, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("raw", "of a protocol", "fd"));
	EXPECT_EQ(0, ckpt_refused("raw6", "of a protocol", "fd"));
	EXPECT_EQ(0, ckpt_refused("udplite", "of a protocol", "fd"));
	EXPECT_EQ(0, ckpt_refused("netlink_other", "of a protocol", "netlink"));
	EXPECT_EQ(0, ckpt_refused("packet", "of a family", "PF_PACKET"));
}

TEST_F_TIMEOUT(refused, netlink_busy, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("netlink_busy", "not read", "fd"));
}

/* We have it, too. */
TEST_F_TIMEOUT(refused, outside, CKPT_TIMEOUT)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	struct ckpt_run run;
	int fd, sock, i;

	for (i = 0; i < 2; i++) {
		sock = socket(AF_INET, types[i], 0);
		ASSERT_LE(0, sock);
		ckpt_init(&run, NULL);
		run.extra_fd = sock;
		ASSERT_EQ(0, ckpt_start(&run, "leaked"));
		fd = ckpt_open(&run, "image", O_CREAT | O_WRONLY);
		EXPECT_EQ(-EOPNOTSUPP, ckpt_checkpoint_log(&run, CHECKPOINT_KILL, fd));
		EXPECT_LE(1, ckpt_log_has(&run, "outside")) ckpt_print(&run, "log");
		close(fd);
		ASSERT_EQ(0, ckpt_finish(&run));
		ASSERT_EQ(0, ckpt_cleanup(&run));
		close(sock);
	}
}

/* ---- restart where something is in the way ---- */

static int taken(int type, const char *text, int port)
{
	union addr addr = make_addr(text, port);
	int fd = socket(addr.sa.sa_family, type, 0);

	if (fd < 0 || bind(fd, &addr.sa, addr_len(&addr)))
		return -1;
	if (type == SOCK_STREAM && listen(fd, 1))
		return -1;
	return fd;
}

SUBJECT(at_4080)
{
	int tcp = make(AF_INET, SOCK_STREAM, 0), udp = make(AF_INET6, SOCK_DGRAM, 0);
	union addr a, b;

	set(tcp, SOL_SOCKET, SO_REUSEADDR, 1);
	a = bind_to(tcp, "127.0.0.1", 4080);
	CHECK_EQ(0, listen(tcp, 1));
	b = bind_to(udp, "::1", 4081);
	subject_point();
	check_name(tcp, &a);
	check_name(udp, &b);
}

TEST_F_TIMEOUT(refused, port_taken, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	pid_t pid;
	int fd;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "at_4080"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	fd = taken(SOCK_STREAM, "0.0.0.0", 4080);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EADDRINUSE, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "127.0.0.1:4080")) ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));
	close(fd);
	fd = taken(SOCK_DGRAM, "::", 4081);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EADDRINUSE, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "[::1]:4081")) ckpt_print(&run, "log");
	close(fd);
	/* what was bound by then was given up */
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

SUBJECT(at_80)
{
	int fd = make(AF_INET, SOCK_STREAM, 0);
	union addr addr = bind_to(fd, "127.0.0.1", 80);

	subject_point();
	check_name(fd, &addr);
}

/* Give up a capability, and restart. */
static int restart_without(struct ckpt_run *run, int cap)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		if (syscall(SYS_capget, &head, caps))
			_exit(1);
		caps[0].effective &= ~(1U << cap);
		if (syscall(SYS_capset, &head, caps))
			_exit(1);
		_exit(-ckpt_restart(run));
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -1;
}

TEST_F_TIMEOUT(refused, privileged_port, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "at_80"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	EXPECT_EQ(-EACCES, restart_without(&run, CAP_NET_BIND_SERVICE));
	EXPECT_LE(1, ckpt_log_has(&run, "127.0.0.1:80")) ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Addresses come and go. */
static int lo_address(unsigned int add)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "ip addr %s 10.98.76.54/32 dev lo",
		 add ? "add" : "del");
	return system(cmd);
}

SUBJECT(at_elsewhere)
{
	int fd = make(AF_INET, SOCK_STREAM, 0);
	union addr addr = bind_to(fd, "10.98.76.54", 4090);

	subject_point();
	check_name(fd, &addr);
}

TEST_F_TIMEOUT(refused, no_address, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	pid_t pid;

	if (lo_address(true))
		SKIP(return, "no ip(8)");
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "at_elsewhere"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	ASSERT_EQ(0, lo_address(false));
	EXPECT_EQ(-EADDRNOTAVAIL, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "10.98.76.54:4090")) ckpt_print(&run, "log");
	ASSERT_EQ(0, lo_address(true));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, lo_address(false));
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_TEST_MAIN
