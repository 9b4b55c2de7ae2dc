// SPDX-License-Identifier: GPL-2.0
/*
 * What records are made of, in tables: whatever shows, checks or compares them
 * goes by these, and a new type of record is a new row.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "info.h"

#define MEMBER_OF(s, m, fmt, ref, time)					\
	{ #m, offsetof(struct s, m), sizeof(((struct s *)0)->m), fmt, ref, time }
#define MEMBER(s, m, fmt, ref)	MEMBER_OF(s, m, fmt, ref, TIME_STAYS)
#define USED(s, m)	MEMBER_OF(s, m, FMT_UNSIGNED, 0, TIME_USED)
#define LEFT(s, m)	MEMBER_OF(s, m, FMT_UNSIGNED, 0, TIME_LEFT)
#define SLEFT(s, m)	MEMBER_OF(s, m, FMT_SIGNED, 0, TIME_LEFT)
#define U(s, m)		MEMBER(s, m, FMT_UNSIGNED, 0)
#define S(s, m)		MEMBER(s, m, FMT_SIGNED, 0)
#define X(s, m)		MEMBER(s, m, FMT_HEX, 0)
#define O(s, m)		MEMBER(s, m, FMT_OCTAL, 0)
#define STR(s, m)	MEMBER(s, m, FMT_STRING, 0)
#define BYTES(s, m)	MEMBER(s, m, FMT_BYTES, 0)
#define COUNT(s, m)	MEMBER(s, m, FMT_COUNT, 0)
#define ZERO(s, m)	MEMBER(s, m, FMT_ZERO, 0)
#define REF(s, m, t)	MEMBER(s, m, FMT_REF, CKPT_REC_##t)
#define LINK(s, m, t)	MEMBER(s, m, FMT_LINK, CKPT_REC_##t)

static const struct field none[] = { { } };

static const struct field header[] = {
	X(ckpt_header, magic), U(ckpt_header, version), U(ckpt_header, arch),
	U(ckpt_header, page_size), U(ckpt_header, image_id),
	X(ckpt_header, features), U(ckpt_header, time_ns),
	STR(ckpt_header, release), X(ckpt_header, vdso_crc),
	U(ckpt_header, vdso_size), { }
};

static const struct field tree[] = {
	COUNT(ckpt_tree, nr), U(ckpt_tree, nr_roots), { }
};

static const struct field tree_task[] = {
	S(ckpt_tree_task, pid), U(ckpt_tree_task, leader),
	U(ckpt_tree_task, parent), S(ckpt_tree_task, pgid),
	S(ckpt_tree_task, sid), X(ckpt_tree_task, flags), { }
};

static const struct field task_begin[] = {
	U(ckpt_task_begin, index), ZERO(ckpt_task_begin, reserved), { }
};

static const struct field trailer[] = {
	U(ckpt_trailer, records), U(ckpt_trailer, bytes),
	U(ckpt_trailer, objects), U(ckpt_trailer, pages),
	U(ckpt_trailer, frozen_ns), U(ckpt_trailer, monotonic_ns),
	U(ckpt_trailer, boottime_ns), { }
};

static const struct field mm[] = {
	REF(ckpt_mm, exe, FILE), X(ckpt_mm, flags),
	X(ckpt_mm, start_code), X(ckpt_mm, end_code),
	X(ckpt_mm, start_data), X(ckpt_mm, end_data),
	X(ckpt_mm, start_brk), X(ckpt_mm, brk), X(ckpt_mm, start_stack),
	X(ckpt_mm, arg_start), X(ckpt_mm, arg_end),
	X(ckpt_mm, env_start), X(ckpt_mm, env_end),
	X(ckpt_mm, mmap_base), X(ckpt_mm, mmap_legacy_base),
	X(ckpt_mm, vdso), X(ckpt_mm, def_flags), U(ckpt_mm, dumpable),
	X(ckpt_mm, dump_filter), USED(ckpt_mm, hiwater_rss),
	USED(ckpt_mm, hiwater_vm), X(ckpt_mm, pkeys), U(ckpt_mm, exec_pkey), { }
};

static const struct field files[] = {
	COUNT(ckpt_files, nr), ZERO(ckpt_files, reserved), { }
};

static const struct field fd[] = {
	U(ckpt_fd, fd), X(ckpt_fd, flags), REF(ckpt_fd, file, FILE),
	ZERO(ckpt_fd, reserved), { }
};

static const struct field fs[] = {
	O(ckpt_fs, umask), COUNT(ckpt_fs, root_len), COUNT(ckpt_fs, cwd_len),
	REF(ckpt_fs, cwd_inode, INODE), { }
};

static const struct field file[] = {
	U(ckpt_file, kind), O(ckpt_file, f_flags), U(ckpt_file, pos),
	REF(ckpt_file, inode, INODE), O(ckpt_file, mode), X(ckpt_file, rdev),
	U(ckpt_file, size), S(ckpt_file, mtime_sec), U(ckpt_file, mtime_nsec),
	S(ckpt_file, low_fd), { }
};

static const struct field inode[] = {
	U(ckpt_inode, kind), O(ckpt_inode, mode), U(ckpt_inode, uid),
	U(ckpt_inode, gid), U(ckpt_inode, size), X(ckpt_inode, seals),
	X(ckpt_inode, flags), { }
};

static const struct field pipe_[] = {
	U(ckpt_pipe, ring_size), U(ckpt_pipe, nr_bufs), U(ckpt_pipe, uid),
	U(ckpt_pipe, gid), O(ckpt_pipe, mode), X(ckpt_pipe, flags),
	COUNT(ckpt_pipe, name_len), ZERO(ckpt_pipe, reserved), { }
};

static const struct field file_owner[] = {
	REF(ckpt_file_owner, file, FILE), S(ckpt_file_owner, pid),
	U(ckpt_file_owner, type), U(ckpt_file_owner, signum),
	X(ckpt_file_owner, flags), S(ckpt_file_owner, fd),
	U(ckpt_file_owner, uid), U(ckpt_file_owner, euid),
	U(ckpt_file_owner, lease), ZERO(ckpt_file_owner, reserved), { }
};

static const struct field vma[] = {
	X(ckpt_vma, start), X(ckpt_vma, end), X(ckpt_vma, flags),
	U(ckpt_vma, kind), REF(ckpt_vma, file, FILE), X(ckpt_vma, pgoff),
	S(ckpt_vma, pkey), REF(ckpt_vma, origin, MM), { }
};

static const struct field pages[] = {
	COUNT(ckpt_pages, nr_runs), U(ckpt_pages, nr_pages), { }
};

static const struct field page_run[] = {
	X(ckpt_page_run, addr), U(ckpt_page_run, nr), { }
};

static const struct field shared_run[] = {
	X(ckpt_shared_run, addr), X(ckpt_shared_run, from_addr),
	U(ckpt_shared_run, nr), REF(ckpt_shared_run, from, MM), { }
};

static const struct field file_data[] = {
	U(ckpt_file_data, offset), COUNT(ckpt_file_data, len), { }
};

static const struct field locks[] = {
	COUNT(ckpt_locks, nr), ZERO(ckpt_locks, reserved), { }
};

static const struct field lock[] = {
	REF(ckpt_lock, file, FILE), U(ckpt_lock, kind), U(ckpt_lock, type),
	U(ckpt_lock, fd), U(ckpt_lock, start), U(ckpt_lock, end), { }
};

static const struct field task[] = {
	STR(ckpt_task, comm), X(ckpt_task, exit_code),
	S(ckpt_task, exit_signal), X(ckpt_task, personality),
	U(ckpt_task, pdeath_signal), S(ckpt_task, oom_score_adj),
	U(ckpt_task, child_subreaper), U(ckpt_task, timer_slack_ns),
	U(ckpt_task, default_timer_slack_ns), X(ckpt_task, set_child_tid),
	X(ckpt_task, clear_child_tid), X(ckpt_task, robust_list),
	X(ckpt_task, rseq), U(ckpt_task, rseq_len), X(ckpt_task, rseq_sig),
	X(ckpt_task, jobctl), U(ckpt_task, stop_signal), X(ckpt_task, flags),
	X(ckpt_task, membarrier), X(ckpt_task, spec_store_bypass),
	X(ckpt_task, spec_indirect_branch), X(ckpt_task, spec_l1d_flush),
	X(ckpt_task, arch_flags), X(ckpt_task, dispatch_offset),
	X(ckpt_task, dispatch_len), X(ckpt_task, dispatch_selector),
	S(ckpt_task, oom_score_adj_min), S(ckpt_task, ptracer),
	U(ckpt_task, vfork_waiter), U(ckpt_task, fault_nr),
	X(ckpt_task, fault_code), X(ckpt_task, fault_addr), { }
};

static const struct field task_objs[] = {
	REF(ckpt_task_objs, mm, MM), REF(ckpt_task_objs, files, FILES),
	REF(ckpt_task_objs, fs, FS), REF(ckpt_task_objs, sighand, SIGHAND),
	REF(ckpt_task_objs, sem_undo, SEM_UNDO),
	REF(ckpt_task_objs, io_context, IO_CONTEXT),
	REF(ckpt_task_objs, autogroup, AUTOGROUP),
	ZERO(ckpt_task_objs, reserved), { }
};

static const struct field autogroup[] = {
	S(ckpt_autogroup, nice), ZERO(ckpt_autogroup, reserved), { }
};

static const struct field cpu[] = {
	X(ckpt_cpu, note), U(ckpt_cpu, nr_parts), { }
};

static const struct field cred[] = {
	U(ckpt_cred, uid), U(ckpt_cred, euid), U(ckpt_cred, suid),
	U(ckpt_cred, fsuid), U(ckpt_cred, gid), U(ckpt_cred, egid),
	U(ckpt_cred, sgid), U(ckpt_cred, fsgid),
	X(ckpt_cred, cap_inheritable), X(ckpt_cred, cap_permitted),
	X(ckpt_cred, cap_effective), X(ckpt_cred, cap_bset),
	X(ckpt_cred, cap_ambient), X(ckpt_cred, securebits),
	U(ckpt_cred, no_new_privs), COUNT(ckpt_cred, ngroups),
	ZERO(ckpt_cred, reserved), { }
};

static const struct field sigaction_[] = {
	X(ckpt_sigaction, handler), X(ckpt_sigaction, flags),
	X(ckpt_sigaction, restorer), X(ckpt_sigaction, mask), { }
};

static const struct field signal_[] = {
	X(ckpt_signal, flags), U(ckpt_signal, group_stop_count),
	X(ckpt_signal, group_exit_code), ZERO(ckpt_signal, reserved), { }
};

static const struct field usage_[] = {
	COUNT(ckpt_usage, nr), ZERO(ckpt_usage, reserved),
	USED(ckpt_usage, told_utime), USED(ckpt_usage, told_stime),
	USED(ckpt_usage, group_told_utime), USED(ckpt_usage, group_told_stime),
	USED(ckpt_usage, maxrss), USED(ckpt_usage, cmaxrss), { }
};

static const struct field usage_sum[] = {
	USED(ckpt_usage_sum, utime), USED(ckpt_usage_sum, stime),
	USED(ckpt_usage_sum, gtime), USED(ckpt_usage_sum, runtime),
	USED(ckpt_usage_sum, min_flt), USED(ckpt_usage_sum, maj_flt),
	USED(ckpt_usage_sum, nvcsw), USED(ckpt_usage_sum, nivcsw),
	USED(ckpt_usage_sum, inblock), USED(ckpt_usage_sum, oublock),
	USED(ckpt_usage_sum, rchar), USED(ckpt_usage_sum, wchar),
	USED(ckpt_usage_sum, syscr), USED(ckpt_usage_sum, syscw),
	USED(ckpt_usage_sum, read_bytes), USED(ckpt_usage_sum, write_bytes),
	USED(ckpt_usage_sum, cancelled_write_bytes), { }
};

static const struct field mempolicy[] = {
	U(ckpt_mempolicy, mode), X(ckpt_mempolicy, flags),
	S(ckpt_mempolicy, home_node), U(ckpt_mempolicy, nr_nodes), { }
};

static const struct field sigmask[] = {
	X(ckpt_sigmask, blocked), X(ckpt_sigmask, saved),
	U(ckpt_sigmask, restore_saved), X(ckpt_sigmask, altstack_flags),
	X(ckpt_sigmask, altstack_sp), U(ckpt_sigmask, altstack_size), { }
};

static const struct field sigpending_[] = {
	U(ckpt_sigpending, shared), COUNT(ckpt_sigpending, nr),
	X(ckpt_sigpending, set), { }
};

static const struct field siginfo_[] = {
	BYTES(ckpt_siginfo, info), { }
};

static const struct field rlimits[] = {
	COUNT(ckpt_rlimits, nr), ZERO(ckpt_rlimits, reserved), { }
};

static const struct field rlimit_[] = {
	U(ckpt_rlimit, cur), U(ckpt_rlimit, max), { }
};

static const struct field sched[] = {
	U(ckpt_sched, policy), S(ckpt_sched, nice), U(ckpt_sched, rt_priority),
	U(ckpt_sched, reset_on_fork), X(ckpt_sched, ioprio),
	U(ckpt_sched, nr_cpus), U(ckpt_sched, slice), U(ckpt_sched, dl_runtime),
	U(ckpt_sched, dl_deadline), U(ckpt_sched, dl_period),
	X(ckpt_sched, dl_flags), U(ckpt_sched, util_min),
	U(ckpt_sched, util_max), ZERO(ckpt_sched, reserved), { }
};

static const struct field restart_block[] = {
	U(ckpt_restart_block, fn), S(ckpt_restart_block, clockid),
	LEFT(ckpt_restart_block, remaining_ns), X(ckpt_restart_block, addr),
	U(ckpt_restart_block, arg), X(ckpt_restart_block, futex_val),
	X(ckpt_restart_block, futex_flags), X(ckpt_restart_block, futex_bitset),
	X(ckpt_restart_block, arch_data), { }
};

static const struct field itimers[] = {
	LEFT(ckpt_itimers, real_value), U(ckpt_itimers, real_interval),
	LEFT(ckpt_itimers, virt_value), U(ckpt_itimers, virt_interval),
	LEFT(ckpt_itimers, prof_value), U(ckpt_itimers, prof_interval), { }
};

static const struct field posix_timers[] = {
	COUNT(ckpt_posix_timers, nr), U(ckpt_posix_timers, next_id), { }
};

static const struct field posix_timer[] = {
	S(ckpt_posix_timer, id), S(ckpt_posix_timer, clock),
	X(ckpt_posix_timer, flags), S(ckpt_posix_timer, notify),
	S(ckpt_posix_timer, signo), S(ckpt_posix_timer, tid),
	X(ckpt_posix_timer, value), SLEFT(ckpt_posix_timer, expires),
	U(ckpt_posix_timer, interval), S(ckpt_posix_timer, overrun),
	S(ckpt_posix_timer, overrun_last), U(ckpt_posix_timer, requeue),
	ZERO(ckpt_posix_timer, reserved), { }
};

static const struct field seccomp_filter[] = {
	REF(ckpt_seccomp_filter, prev, SECCOMP_FILTER),
	X(ckpt_seccomp_filter, flags), U(ckpt_seccomp_filter, len),
	ZERO(ckpt_seccomp_filter, reserved), { }
};

static const struct field seccomp[] = {
	U(ckpt_seccomp, mode), REF(ckpt_seccomp, filter, SECCOMP_FILTER), { }
};

static const struct field eventfd_[] = {
	U(ckpt_eventfd, count), X(ckpt_eventfd, flags),
	ZERO(ckpt_eventfd, reserved), { }
};

static const struct field timerfd[] = {
	S(ckpt_timerfd, clock), X(ckpt_timerfd, flags),
	SLEFT(ckpt_timerfd, expires), U(ckpt_timerfd, interval),
	U(ckpt_timerfd, ticks), X(ckpt_timerfd, settime_flags),
	ZERO(ckpt_timerfd, reserved), { }
};

static const struct field signalfd_[] = {
	X(ckpt_signalfd, mask), { }
};

static const struct field epoll[] = {
	U(ckpt_epoll, uid), U(ckpt_epoll, busy_poll_usecs),
	U(ckpt_epoll, busy_poll_budget), U(ckpt_epoll, prefer_busy_poll), { }
};

static const struct field epoll_items[] = {
	COUNT(ckpt_epoll_items, nr), ZERO(ckpt_epoll_items, reserved), { }
};

static const struct field epoll_item[] = {
	REF(ckpt_epoll_item, epoll, EPOLL), REF(ckpt_epoll_item, file, FILE),
	S(ckpt_epoll_item, fd), X(ckpt_epoll_item, events),
	X(ckpt_epoll_item, data), X(ckpt_epoll_item, told),
	ZERO(ckpt_epoll_item, reserved), { }
};

static const struct field pid_[] = {
	S(ckpt_pid, nr), X(ckpt_pid, flags), { }
};

static const struct field unix_[] = {
	U(ckpt_unix, type), X(ckpt_unix, flags), U(ckpt_unix, state),
	X(ckpt_unix, shutdown), U(ckpt_unix, err), U(ckpt_unix, backlog),
	LINK(ckpt_unix, peer, UNIX), REF(ckpt_unix, listener, UNIX),
	REF(ckpt_unix, peer_pid, PID), S(ckpt_unix, peer_uid),
	S(ckpt_unix, peer_gid), COUNT(ckpt_unix, nr_groups),
	COUNT(ckpt_unix, nr_opts), COUNT(ckpt_unix, addr_len),
	COUNT(ckpt_unix, path_len), U(ckpt_unix, uid), U(ckpt_unix, gid),
	O(ckpt_unix, mode), S(ckpt_unix, mtime_sec), U(ckpt_unix, mtime_nsec),
	ZERO(ckpt_unix, reserved), { }
};

static const struct field unix_msg[] = {
	REF(ckpt_unix_msg, sender, UNIX), X(ckpt_unix_msg, flags),
	U(ckpt_unix_msg, head_len), U(ckpt_unix_msg, frags_len),
	U(ckpt_unix_msg, consumed), U(ckpt_unix_msg, nr_files),
	REF(ckpt_unix_msg, pid, PID), S(ckpt_unix_msg, uid),
	S(ckpt_unix_msg, gid), ZERO(ckpt_unix_msg, reserved),
	U(ckpt_unix_msg, tstamp_ns), { }
};

#define IPC(_type)							\
	S(_type, perm.id), X(_type, perm.key), O(_type, perm.mode),	\
	U(_type, perm.uid), U(_type, perm.gid), U(_type, perm.cuid),	\
	U(_type, perm.cgid), REF(_type, perm.creator, PID)

static const struct field shm[] = {
	IPC(ckpt_shm), U(ckpt_shm, size), S(ckpt_shm, atime),
	S(ckpt_shm, dtime), S(ckpt_shm, ctime), REF(ckpt_shm, user, PID),
	S(ckpt_shm, owner), X(ckpt_shm, flags), X(ckpt_shm, name_key), { }
};

static const struct field sem[] = {
	IPC(ckpt_sem), COUNT(ckpt_sem, nr), ZERO(ckpt_sem, reserved),
	S(ckpt_sem, otime), S(ckpt_sem, ctime), { }
};

static const struct field sem_value[] = {
	U(ckpt_sem_value, value), REF(ckpt_sem_value, pid, PID), { }
};

static const struct field msgq[] = {
	IPC(ckpt_msgq), U(ckpt_msgq, qbytes), S(ckpt_msgq, stime),
	S(ckpt_msgq, rtime), S(ckpt_msgq, ctime), REF(ckpt_msgq, sender, PID),
	REF(ckpt_msgq, receiver, PID), { }
};

static const struct field msgq_msg[] = {
	S(ckpt_msgq_msg, type), { }
};

static const struct field sem_adj[] = {
	REF(ckpt_sem_adj, sem, SEM), U(ckpt_sem_adj, nr), { }
};

static const struct field inet[] = {
	U(ckpt_inet, family), U(ckpt_inet, type), U(ckpt_inet, protocol),
	X(ckpt_inet, flags), U(ckpt_inet, state), U(ckpt_inet, backlog),
	X(ckpt_inet, shutdown), U(ckpt_inet, err), U(ckpt_inet, port),
	U(ckpt_inet, peer_port), U(ckpt_inet, drops), COUNT(ckpt_inet, nr_opts),
	COUNT(ckpt_inet, nr_inet_opts), U(ckpt_inet, uid), U(ckpt_inet, gid),
	O(ckpt_inet, mode), BYTES(ckpt_inet, addr), BYTES(ckpt_inet, src),
	BYTES(ckpt_inet, peer), STR(ckpt_inet, device), { }
};

static const struct field inet_msg[] = {
	U(ckpt_inet_msg, tstamp_ns), U(ckpt_inet_msg, family),
	U(ckpt_inet_msg, sport), U(ckpt_inet_msg, dport), U(ckpt_inet_msg, ttl),
	X(ckpt_inet_msg, tos), X(ckpt_inet_msg, flowlabel),
	U(ckpt_inet_msg, frag_max_size), X(ckpt_inet_msg, mark),
	U(ckpt_inet_msg, drops), BYTES(ckpt_inet_msg, spec_dst),
	BYTES(ckpt_inet_msg, saddr), BYTES(ckpt_inet_msg, daddr),
	STR(ckpt_inet_msg, device), { }
};

static const struct field netlink[] = {
	U(ckpt_netlink, type), U(ckpt_netlink, protocol), X(ckpt_netlink, options),
	U(ckpt_netlink, portid), U(ckpt_netlink, dst_portid),
	U(ckpt_netlink, dst_group), U(ckpt_netlink, err),
	COUNT(ckpt_netlink, nr_opts), COUNT(ckpt_netlink, nr_groups),
	U(ckpt_netlink, uid), U(ckpt_netlink, gid), O(ckpt_netlink, mode),
	ZERO(ckpt_netlink, reserved), { }
};

static const struct field inotify[] = {
	U(ckpt_inotify, uid), U(ckpt_inotify, max_events),
	U(ckpt_inotify, next_wd), ZERO(ckpt_inotify, reserved), { }
};

static const struct field inotify_watch[] = {
	S(ckpt_inotify_watch, wd), X(ckpt_inotify_watch, mask),
	O(ckpt_inotify_watch, mode), REF(ckpt_inotify_watch, file, FILE), { }
};

static const struct field inotify_event_[] = {
	S(ckpt_inotify_event, wd), X(ckpt_inotify_event, mask),
	U(ckpt_inotify_event, cookie), ZERO(ckpt_inotify_event, reserved), { }
};

static const struct field fanotify[] = {
	U(ckpt_fanotify, uid), X(ckpt_fanotify, flags),
	X(ckpt_fanotify, event_f_flags), U(ckpt_fanotify, max_events),
	U(ckpt_fanotify, unpriv), ZERO(ckpt_fanotify, reserved), { }
};

static const struct field fanotify_mark_[] = {
	X(ckpt_fanotify_mark, flags), X(ckpt_fanotify_mark, mask),
	X(ckpt_fanotify_mark, ignore_mask), O(ckpt_fanotify_mark, mode),
	REF(ckpt_fanotify_mark, file, FILE), BYTES(ckpt_fanotify_mark, fsid),
	ZERO(ckpt_fanotify_mark, reserved), { }
};

static const struct field fanotify_event_[] = {
	U(ckpt_fanotify_event, kind), X(ckpt_fanotify_event, mask),
	REF(ckpt_fanotify_event, pid, PID), REF(ckpt_fanotify_event, file, FILE),
	S(ckpt_fanotify_event, error), U(ckpt_fanotify_event, error_count),
	BYTES(ckpt_fanotify_event, fsid),
	U(ckpt_fanotify_event, dir.type), COUNT(ckpt_fanotify_event, dir.len),
	U(ckpt_fanotify_event, dir2.type), COUNT(ckpt_fanotify_event, dir2.len),
	U(ckpt_fanotify_event, object.type), COUNT(ckpt_fanotify_event, object.len),
	COUNT(ckpt_fanotify_event, name_len), COUNT(ckpt_fanotify_event, name2_len), { }
};

static const struct field mqueue[] = {
	X(ckpt_mqueue, flags), O(ckpt_mqueue, mode), U(ckpt_mqueue, uid),
	U(ckpt_mqueue, gid), U(ckpt_mqueue, maxmsg), U(ckpt_mqueue, msgsize),
	U(ckpt_mqueue, user), U(ckpt_mqueue, nr), U(ckpt_mqueue, notify),
	U(ckpt_mqueue, signo), X(ckpt_mqueue, sigval),
	REF(ckpt_mqueue, owner, PID), ZERO(ckpt_mqueue, reserved), { }
};

static const struct field mqueue_msg[] = {
	U(ckpt_mqueue_msg, priority), ZERO(ckpt_mqueue_msg, reserved), { }
};

static const struct field aio[] = {
	U(ckpt_aio, nr_pages), U(ckpt_aio, max_reqs), U(ckpt_aio, tail),
	U(ckpt_aio, completed), ZERO(ckpt_aio, reserved), { }
};

static const struct field aio_ctx[] = {
	X(ckpt_aio_ctx, addr), REF(ckpt_aio_ctx, ring, AIO), U(ckpt_aio_ctx, id), { }
};

static const struct field io_uring[] = {
	X(ckpt_io_uring, flags), U(ckpt_io_uring, sq_entries),
	U(ckpt_io_uring, cq_entries), U(ckpt_io_uring, sq_head),
	U(ckpt_io_uring, cq_tail), U(ckpt_io_uring, cq_extra),
	X(ckpt_io_uring, state), S(ckpt_io_uring, clockid),
	REF(ckpt_io_uring, submitter, PID), REF(ckpt_io_uring, eventfd, EVENTFD),
	U(ckpt_io_uring, eventfd_tail), ZERO(ckpt_io_uring, reserved), { }
};

static const struct field io_uring_files[] = {
	U(ckpt_io_uring_files, nr), U(ckpt_io_uring_files, alloc_start),
	U(ckpt_io_uring_files, alloc_end), U(ckpt_io_uring_files, alloc_hint), { }
};

static const struct field io_uring_slot[] = {
	U(ckpt_io_uring_slot, slot), REF(ckpt_io_uring_slot, file, FILE),
	X(ckpt_io_uring_slot, tag), { }
};

static const struct field io_uring_bufs[] = {
	U(ckpt_io_uring_bufs, nr), ZERO(ckpt_io_uring_bufs, reserved), { }
};

static const struct field io_uring_buf[] = {
	U(ckpt_io_uring_buf, slot), U(ckpt_io_uring_buf, len),
	X(ckpt_io_uring_buf, addr), X(ckpt_io_uring_buf, tag), { }
};

static const struct field io_uring_mm[] = {
	REF(ckpt_io_uring_mm, ring, IO_URING), X(ckpt_io_uring_mm, flags), { }
};

static const struct field io_uring_fd[] = {
	U(ckpt_io_uring_fd, slot), REF(ckpt_io_uring_fd, file, FILE), { }
};

static const struct field pty[] = {
	U(ckpt_pty, index), X(ckpt_pty, flags), O(ckpt_pty, f_flags),
	O(ckpt_pty, mode), U(ckpt_pty, uid), U(ckpt_pty, gid),
	U(ckpt_pty, session), U(ckpt_pty, pgrp), { }
};

static const struct field pty_side[] = {
	U(ckpt_pty_side, side), X(ckpt_pty_side, flags),
	X(ckpt_pty_side, termios.iflag), X(ckpt_pty_side, termios.oflag),
	X(ckpt_pty_side, termios.cflag), X(ckpt_pty_side, termios.lflag),
	U(ckpt_pty_side, termios.ispeed), U(ckpt_pty_side, termios.ospeed),
	U(ckpt_pty_side, termios.line), BYTES(ckpt_pty_side, termios.cc),
	X(ckpt_pty_side, locked.iflag), X(ckpt_pty_side, locked.oflag),
	X(ckpt_pty_side, locked.cflag), X(ckpt_pty_side, locked.lflag),
	U(ckpt_pty_side, locked.ispeed), U(ckpt_pty_side, locked.ospeed),
	U(ckpt_pty_side, locked.line), BYTES(ckpt_pty_side, locked.cc),
	U(ckpt_pty_side, rows), U(ckpt_pty_side, cols),
	U(ckpt_pty_side, xpixel), U(ckpt_pty_side, ypixel),
	X(ckpt_pty_side, pktstatus), U(ckpt_pty_side, nr_marks),
	U(ckpt_pty_side, read_len), S(ckpt_pty_side, canon_len),
	S(ckpt_pty_side, commit_len), U(ckpt_pty_side, column),
	U(ckpt_pty_side, canon_column), U(ckpt_pty_side, echo_len),
	U(ckpt_pty_side, echo_commit), U(ckpt_pty_side, echo_mark),
	U(ckpt_pty_side, flip_len), U(ckpt_pty_side, flip_seen), { }
};

static const struct field ctty[] = {
	REF(ckpt_ctty, pty, PTY), U(ckpt_ctty, old_pgrp),
	X(ckpt_ctty, flags), ZERO(ckpt_ctty, reserved), { }
};

static const struct type types[] = {
	[CKPT_REC_HEADER]	= { header, DATA_STRINGS, NULL, 0 },
	[CKPT_REC_TREE]		= { tree, DATA_ARRAY, tree_task, sizeof(struct ckpt_tree_task) },
	[CKPT_REC_TASK_BEGIN]	= { .fields = task_begin },
	[CKPT_REC_TASK_END]	= { .fields = none },
	[CKPT_REC_TRAILER]	= { .fields = trailer },
	[CKPT_REC_MM]		= { mm, DATA_BYTES, NULL, 0 },
	[CKPT_REC_FILES]	= { files, DATA_ARRAY, fd, sizeof(struct ckpt_fd) },
	[CKPT_REC_FS]		= { fs, DATA_STRINGS, NULL, 0 },
	[CKPT_REC_FILE]		= { file, DATA_STRINGS, NULL, 0 },
	[CKPT_REC_INODE]	= { inode, DATA_STRINGS, NULL, 0 },
	[CKPT_REC_PIPE]		= { pipe_, DATA_BYTES, NULL, 0 },
	[CKPT_REC_EVENTFD]	= { .fields = eventfd_ },
	[CKPT_REC_TIMERFD]	= { .fields = timerfd },
	[CKPT_REC_SIGNALFD]	= { .fields = signalfd_ },
	[CKPT_REC_EPOLL]	= { .fields = epoll },
	[CKPT_REC_FILE_OWNER]	= { .fields = file_owner },
	[CKPT_REC_EPOLL_ITEMS]	= {
		epoll_items, DATA_ARRAY, epoll_item, sizeof(struct ckpt_epoll_item)
	},
	[CKPT_REC_UNIX]		= { unix_, DATA_BYTES, NULL, 0 },
	[CKPT_REC_UNIX_MSG]	= { unix_msg, DATA_BYTES, NULL, 0 },
	[CKPT_REC_PID]		= { .fields = pid_ },
	[CKPT_REC_SHM]		= { shm, DATA_BYTES, NULL, 0 },
	[CKPT_REC_SEM]		= {
		sem, DATA_ARRAY, sem_value, sizeof(struct ckpt_sem_value)
	},
	[CKPT_REC_MSGQ]		= { .fields = msgq },
	[CKPT_REC_MSGQ_MSG]	= { msgq_msg, DATA_BYTES, NULL, 0 },
	[CKPT_REC_SEM_ADJ]	= { sem_adj, DATA_BYTES, NULL, 0 },
	[CKPT_REC_INET]		= { inet, DATA_BYTES, NULL, 0 },
	[CKPT_REC_INET_MSG]	= { inet_msg, DATA_BYTES, NULL, 0 },
	[CKPT_REC_NETLINK]	= { netlink, DATA_BYTES, NULL, 0 },
	[CKPT_REC_INOTIFY]	= { .fields = inotify },
	[CKPT_REC_INOTIFY_WATCH] = { inotify_watch, DATA_STRINGS, NULL, 0 },
	[CKPT_REC_INOTIFY_EVENT] = { inotify_event_, DATA_STRINGS, NULL, 0 },
	[CKPT_REC_FANOTIFY]	= { .fields = fanotify },
	[CKPT_REC_FANOTIFY_MARK] = { fanotify_mark_, DATA_STRINGS, NULL, 0 },
	[CKPT_REC_FANOTIFY_EVENT] = { fanotify_event_, DATA_BYTES, NULL, 0 },
	[CKPT_REC_MQUEUE]	= { mqueue, DATA_STRINGS, NULL, 0 },
	[CKPT_REC_MQUEUE_MSG]	= { mqueue_msg, DATA_BYTES, NULL, 0 },
	[CKPT_REC_AIO]		= { aio, DATA_BYTES, NULL, 0 },
	[CKPT_REC_AIO_CTX]	= { .fields = aio_ctx },
	[CKPT_REC_IO_URING]	= { io_uring, DATA_BYTES, NULL, 0 },
	[CKPT_REC_IO_URING_FILES] = {
		io_uring_files, DATA_ARRAY, io_uring_slot, sizeof(struct ckpt_io_uring_slot)
	},
	[CKPT_REC_IO_URING_BUFS] = {
		io_uring_bufs, DATA_ARRAY, io_uring_buf, sizeof(struct ckpt_io_uring_buf)
	},
	[CKPT_REC_IO_URING_MM]	= {
		none, DATA_ARRAY, io_uring_mm, sizeof(struct ckpt_io_uring_mm)
	},
	[CKPT_REC_IO_URING_FDS]	= {
		none, DATA_ARRAY, io_uring_fd, sizeof(struct ckpt_io_uring_fd)
	},
	[CKPT_REC_PTY]		= { pty, DATA_STRINGS, NULL, 0 },
	[CKPT_REC_PTY_SIDE]	= { pty_side, DATA_BYTES, NULL, 0 },
	[CKPT_REC_CTTY]		= { .fields = ctty },
	[CKPT_REC_VMA]		= { vma, DATA_STRINGS, NULL, 0 },
	[CKPT_REC_PAGES_SHARED]	= {
		none, DATA_ARRAY, shared_run, sizeof(struct ckpt_shared_run)
	},
	[CKPT_REC_PAGES]	= { pages, DATA_ARRAY, page_run, sizeof(struct ckpt_page_run) },
	[CKPT_REC_FILE_DATA]	= { file_data, DATA_BYTES, NULL, 0 },
	[CKPT_REC_LOCKS]	= { locks, DATA_ARRAY, lock, sizeof(struct ckpt_lock) },
	[CKPT_REC_MM_END]	= { .fields = none },
	[CKPT_REC_TASK]		= { .fields = task },
	[CKPT_REC_TASK_OBJS]	= { .fields = task_objs },
	[CKPT_REC_CPU]		= { cpu, DATA_BYTES, NULL, 0 },
	[CKPT_REC_CRED]		= { cred, DATA_BYTES, NULL, 0 },
	[CKPT_REC_SIGHAND]	= { none, DATA_ARRAY, sigaction_, sizeof(struct ckpt_sigaction) },
	[CKPT_REC_SIGNAL]	= { .fields = signal_ },
	[CKPT_REC_SIGMASK]	= { .fields = sigmask },
	[CKPT_REC_SIGPENDING]	= {
		sigpending_, DATA_ARRAY, siginfo_, sizeof(struct ckpt_siginfo)
	},
	[CKPT_REC_RLIMITS]	= { rlimits, DATA_ARRAY, rlimit_, sizeof(struct ckpt_rlimit) },
	[CKPT_REC_SCHED]	= { sched, DATA_BYTES, NULL, 0 },
	[CKPT_REC_RESTART_BLOCK] = { .fields = restart_block },
	[CKPT_REC_ITIMERS]	= { .fields = itimers },
	[CKPT_REC_POSIX_TIMERS]	= {
		posix_timers, DATA_ARRAY, posix_timer, sizeof(struct ckpt_posix_timer)
	},
	[CKPT_REC_SECCOMP_FILTER] = { seccomp_filter, DATA_BYTES, NULL, 0 },
	[CKPT_REC_SECCOMP]	= { .fields = seccomp },
	[CKPT_REC_USAGE]	= {
		usage_, DATA_ARRAY, usage_sum, sizeof(struct ckpt_usage_sum)
	},
	[CKPT_REC_MEMPOLICY]	= { mempolicy, DATA_BYTES, NULL, 0 },
	[CKPT_REC_VMA_POLICY]	= { mempolicy, DATA_BYTES, NULL, 0 },
	[CKPT_REC_SEM_UNDO]	= { .fields = none },
	[CKPT_REC_IO_CONTEXT]	= { .fields = none },
	[CKPT_REC_AUTOGROUP]	= { .fields = autogroup },
};

const struct type *type_of(__u32 type)
{
	static const struct type unknown = { .fields = none, .data = DATA_BYTES };

	if (type >= ARRAY_SIZE(types) || !types[type].fields)
		return &unknown;
	return &types[type];
}

__u64 field_value(const struct field *f, const void *from)
{
	const char *p = (const char *)from + f->offset;
	__u64 u64;
	__u32 u32;
	__s32 s32;

	switch (f->size) {
	case 4:
		if (f->format == FMT_SIGNED) {
			memcpy(&s32, p, sizeof(s32));
			return (__u64)(__s64)s32;
		}
		memcpy(&u32, p, sizeof(u32));
		return u32;
	case 8:
		memcpy(&u64, p, sizeof(u64));
		return u64;
	default:
		return 0;
	}
}

const char *field_text(const struct field *f, const void *from, char *buf)
{
	__u64 v = field_value(f, from);

	switch (f->format) {
	case FMT_STRING:
		return clean((const char *)from + f->offset, f->size, buf, FIELD_TEXT);
	case FMT_SIGNED:
		snprintf(buf, FIELD_TEXT, "%lld", (long long)v);
		break;
	case FMT_HEX:
		snprintf(buf, FIELD_TEXT, "%#llx", v);
		break;
	case FMT_OCTAL:
		snprintf(buf, FIELD_TEXT, "%#llo", v);
		break;
	case FMT_BYTES:
		snprintf(buf, FIELD_TEXT, "%u bytes with hash %016llx", f->size,
			 hash_bytes((const char *)from + f->offset, f->size));
		break;
	default:
		snprintf(buf, FIELD_TEXT, "%llu", v);
		break;
	}
	return buf;
}

/* Length of the UTF-8 character at @s that a terminal may see, or 0. */
static size_t printable(const unsigned char *s, size_t len)
{
	size_t n, i;

	if (*s >= ' ' && *s < 0x7f)
		return *s == '\\' ? 0 : 1;
	if (*s >= 0xc2 && *s <= 0xdf)
		n = 2;
	else if (*s >= 0xe0 && *s <= 0xef)
		n = 3;
	else if (*s >= 0xf0 && *s <= 0xf4)
		n = 4;
	else
		return 0;
	if (n > len)
		return 0;
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Not C1 controls, overlong forms, surrogates, what is beyond Unicode */
	if ((*s == 0xc2 && s[1] < 0xa0) || (*s == 0xe0 && s[1] < 0xa0) ||
	    (*s == 0xed && s[1] > 0x9f) || (*s == 0xf0 && s[1] < 0x90) ||
	    (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	/* Nor what changes the direction of text. */
	if (*s == 0xe2 && ((s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae) ||
			   (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9)))
		return 0;
	return n;
}

const char *clean(const char *s, size_t len, char *buf, size_t size)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n, pos = 0;

	while (len && *p && pos + 8 < size) {
		n = printable(p, len);
		if (n) {
			memcpy(buf + pos, p, n);
			pos += n;
		} else {
			pos += snprintf(buf + pos, size - pos, "\\%03o", *p);
			n = 1;
		}
		p += n;
		len -= n;
	}
	if (len && *p)
		pos += snprintf(buf + pos, size - pos, "...");
	buf[pos] = '\0';
	return buf;
}

__u64 hash_bytes(const void *data, size_t len)
{
	const unsigned char *p = data;
	__u64 hash = 0x9e3779b97f4a7c15ULL ^ len, word;
	size_t n;

	while (len) {
		n = len < 8 ? len : 8;
		word = 0;
		memcpy(&word, p, n);
		hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
		hash ^= hash >> 32;
		p += n;
		len -= n;
	}
	return hash;
}
