// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: keyrings. Those of the surroundings are kept, as far as
 * the caller of restart() is in the same ones; others are refused.
 */
#define _GNU_SOURCE
#include <linux/keyctl.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

static long join_session(const char *name)
{
	return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0);
}

static long new_key(const char *name, int keyring)
{
	return syscall(SYS_add_key, "user", name, "secret", 6, keyring);
}

static long find_key(const char *name)
{
	return syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user",
		       name, 0);
}

/* The tests join a session with that key first, as a login does. */
SUBJECT(surroundings)
{
	long key = find_key("ckpt");

	subject_point();
	CHECK_EQ(key, find_key("ckpt"));
}

CKPT_FIXTURE_HOW(keys);
CKPT_VARIANTS(keys);

TEST_F_TIMEOUT(keys, surroundings, CKPT_TIMEOUT)
{
	ASSERT_LT(0, join_session(NULL));
	ASSERT_LT(0, new_key("ckpt", KEY_SPEC_SESSION_KEYRING));
	ASSERT_EQ(0, ckpt_roundtrip("surroundings", &variant->how));
}

/* A session of its own, with nothing but what every session has. */
SUBJECT(plain)
{
	CHECK(join_session(NULL) > 0);
	CHECK_EQ(0, syscall(SYS_keyctl, KEYCTL_LINK, KEY_SPEC_USER_KEYRING,
			    KEY_SPEC_SESSION_KEYRING, 0, 0));
	subject_point();
}

CKPT_ROUNDTRIP(keys, plain);

CKPT_FIXTURE(keys_refused);

SUBJECT(own)
{
	long key;

	CHECK(join_session(NULL) > 0);
	key = new_key("own", KEY_SPEC_SESSION_KEYRING);
	CHECK(key > 0);
	subject_point();
	CHECK_EQ(key, find_key("own"));
}

TEST_F_TIMEOUT(keys_refused, own, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("own", "session keyring", NULL));
}

SUBJECT(named)
{
	CHECK(join_session("ckpt-test") > 0);
	subject_point();
}

TEST_F_TIMEOUT(keys_refused, named, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("named", "session keyring", NULL));
}

/* Nothing is in it, and nothing may be put into it. */
SUBJECT(restricted)
{
	CHECK(join_session(NULL) > 0);
	CHECK_EQ(0, syscall(SYS_keyctl, KEYCTL_RESTRICT_KEYRING,
			    KEY_SPEC_SESSION_KEYRING, NULL, NULL, 0));
	CHECK_EQ(-1, new_key("more", KEY_SPEC_SESSION_KEYRING));
	subject_point();
	CHECK_EQ(-1, new_key("more", KEY_SPEC_SESSION_KEYRING));
}

TEST_F_TIMEOUT(keys_refused, restricted, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("restricted", "session keyring", NULL));
}

/* Two sessions would become one. */
SUBJECT(child)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		CHECK(join_session(NULL) > 0);
		subject_touch("child");
		subject_wait("go");
		_exit(0);
	}
	subject_wait("child");
	subject_point();
	subject_join(pid);
}

TEST_F_TIMEOUT(keys_refused, child, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("child", "session keyring", NULL));
}

SUBJECT(thread)
{
	CHECK(new_key("thread", KEY_SPEC_THREAD_KEYRING) > 0);
	subject_point();
}

SUBJECT(process)
{
	CHECK(new_key("process", KEY_SPEC_PROCESS_KEYRING) > 0);
	subject_point();
}

TEST_F_TIMEOUT(keys_refused, thread, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("thread", "keyring", NULL));
}

TEST_F_TIMEOUT(keys_refused, process, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("process", "keyring", NULL));
}

CKPT_TEST_MAIN
