// SPDX-License-Identifier: GPL-2.0
/*
 * ckptinfo: look at images.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "info.h"

static const char usage[] =
"Usage: ckptinfo [--json] [COMMAND] FILE\n"
"       ckptinfo [--json] [--but-time] diff FILE1 FILE2\n"
"       ckptinfo merge FILE NEWFILE\n"
"Show what is in an image that checkpoint has written. FILE - is the standard\n"
"input.\n"
"\n"
"  show        summary: where it is from, its tasks, its size (the default)\n"
"  tree        the tree of processes\n"
"  fds         open files of each process\n"
"  maps        mapped memory of each process\n"
"  externals   what restart is to be handed: its keys, and who has it\n"
"  stats       sizes by type of record and by process\n"
"  verify      check all of it: checksums, completeness, references\n"
"  diff        compare two images, but for when they were made\n"
"  merge       write an image that needs no other, from one that was made with\n"
"              checkpoint --parent; NEWFILE - is the standard output\n"
"\n"
"  -j, --json      print JSON\n"
"  -t, --but-time  diff: nor what tasks have used or time that timers have left\n"
"  -h, --help      show this text\n"
"      --version   show the version\n"
"\n"
"Examples:\n"
"  ckptinfo job.ckpt\n"
"  ckptinfo verify job.ckpt && restart -i job.ckpt\n"
"  ckptinfo --json fds job.ckpt | jq '.[].path'\n"
"  zstd -dc job.ckpt.zst | ckptinfo tree -\n"
"  ckptinfo merge job.3 job.ckpt && rm job.1 job.2 job.3\n"
"\n"
"Exit status: 0 good; 1 wrong use, or the images differ (diff); 3 not\n"
"permitted; 4 bad or incompatible image; 5 other errors.\n";

typedef int (*show_fn)(const struct image *img, bool json, FILE *out);

static const struct {
	const char	*name;
	show_fn		show;
} commands[] = {
	{ "show", show_summary },
	{ "tree", show_tree },
	{ "fds", show_fds },
	{ "maps", show_maps },
	{ "externals", show_externals },
	{ "stats", show_stats },
	{ "verify", show_verify },
	{ "diff", NULL },
	{ "merge", NULL },
};

static int open_image(const char **name)
{
	struct stat st;
	int fd, err;

	if (!strcmp(*name, "-")) {
		*name = "standard input";
		return STDIN_FILENO;
	}
	fd = open(*name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	err = fd < 0 ? errno : 0;
	if (fd >= 0 && !fstat(fd, &st) && S_ISDIR(st.st_mode))
		err = EISDIR;
	if (err) {
		fprintf(stderr, "ckptinfo: %s: %s\n", *name, strerror(err));
		exit(err == EACCES || err == EPERM ?
		     CKPT_EXIT_PERMISSION : CKPT_EXIT_IO);
	}
	return fd;
}

static struct image *load(const char *name)
{
	int fd = open_image(&name);
	struct image *img;

	img = image_load(name, fd);
	if (fd != STDIN_FILENO)
		close(fd);
	return img;
}

static int merge_to(const char *from, int in, const char *to, int out)
{
	char error[512];
	int err;

	if (!ckpt_merge(in, out, error, sizeof(error)))
		return CKPT_EXIT_OK;
	err = errno;
	fprintf(stderr, "ckptinfo: %s: %s\n", strncmp(error, "cannot write", 12) ? from : to,
		error);
	return err == EBADMSG || err == EINVAL || err == ENOEXEC ? CKPT_EXIT_IMAGE :
	       CKPT_EXIT_IO;
}

/* Is all of it good? What comes from a pipe cannot be read twice. */
static int merge_check(const char *from, int in)
{
	struct image *img;
	int ret = CKPT_EXIT_OK;

	if (lseek(in, 0, SEEK_SET))
		return CKPT_EXIT_OK;
	img = image_load(from, in);
	if (img->error || img->nr_problems) {
		fprintf(stderr, "ckptinfo: %s: %s\n", from,
			img->error ? img->error : img->problems[0]);
		ret = img->error ? image_exit_code(img) : CKPT_EXIT_IMAGE;
	}
	image_free(img);
	lseek(in, 0, SEEK_SET);
	return ret;
}

/* A file that is there already is kept until there is another, which is whole. */
static int merge(const char *from, const char *to)
{
	int in = open_image(&from), out = STDOUT_FILENO, ret;
	char *tmp = NULL, *real = NULL;
	struct stat st;

	ret = merge_check(from, in);
	if (ret)
		return ret;
	if (!strcmp(to, "-"))
		return merge_to(from, in, "standard output", out);
	if (!stat(to, &st) && !S_ISREG(st.st_mode)) {
		/* A pipe or disk: nothing to rename. */
		out = open(to, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	} else {
		/* A symbolic link stays one. */
		real = realpath(to, NULL);
		if (asprintf(&tmp, "%s.%d.tmp", real ? real : to, getpid()) < 0)
			tmp = NULL;
		out = tmp ? open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	}
	if (out < 0) {
		ret = errno == EACCES || errno == EPERM ? CKPT_EXIT_PERMISSION : CKPT_EXIT_IO;
		fprintf(stderr, "ckptinfo: %s: %s\n", to, strerror(errno));
		return ret;
	}
	ret = merge_to(from, in, to, out);
	if (!ret && tmp && (fsync(out) || rename(tmp, real ? real : to))) {
		fprintf(stderr, "ckptinfo: %s: %s\n", to, strerror(errno));
		ret = CKPT_EXIT_IO;
	}
	if (tmp && ret)
		unlink(tmp);
	free(tmp);
	free(real);
	return ret;
}

/* Images that are not whole are good for verify only. */
static void require_whole(const struct image *img)
{
	if (!img->error)
		return;
	fprintf(stderr, "ckptinfo: %s: %s\n", img->name, img->error);
	exit(image_exit_code(img));
}

/* Shown, as good as it goes, but not to be trusted. */
static int judge(const struct image *img, int ret)
{
	if (!img->nr_problems)
		return ret;
	fprintf(stderr, "ckptinfo: %s: is damaged: %s; see ckptinfo verify\n",
		img->name, img->problems[0]);
	return CKPT_EXIT_IMAGE;
}

static int finish(int ret)
{
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "ckptinfo: cannot write: %s\n", strerror(errno));
		return CKPT_EXIT_IO;
	}
	return ret;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "but-time", no_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ }
	};
	struct image *img, *other;
	bool json = false, but_time = false;
	size_t cmd = 0, i;
	int c, ret, left;

	while ((c = getopt_long(argc, argv, "jth", longs, NULL)) >= 0) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 't':
			but_time = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return finish(CKPT_EXIT_OK);
		case 'V':
			printf("ckptinfo %s (image format %d)\n",
			       CKPT_TOOLS_VERSION, CKPT_VERSION);
			return finish(CKPT_EXIT_OK);
		default:
			fputs("Try 'ckptinfo --help'.\n", stderr);
			return CKPT_EXIT_USAGE;
		}
	}
	left = argc - optind;
	if (left > 1) {
		for (i = 0; i < ARRAY_SIZE(commands); i++)
			if (!strcmp(argv[optind], commands[i].name))
				break;
		if (i == ARRAY_SIZE(commands)) {
			fprintf(stderr, "ckptinfo: '%s' is not a command\n", argv[optind]);
			fputs("Try 'ckptinfo --help'.\n", stderr);
			return CKPT_EXIT_USAGE;
		}
		cmd = i;
		optind++;
		left--;
	}
	if (left != (commands[cmd].show ? 1 : 2)) {
		fprintf(stderr, "ckptinfo: %s\n", left ? "wrong number of files" :
			"say which image to look at");
		fputs("Try 'ckptinfo --help'.\n", stderr);
		return CKPT_EXIT_USAGE;
	}

	if (!strcmp(commands[cmd].name, "merge"))
		return merge(argv[optind], argv[optind + 1]);
	img = load(argv[optind]);
	if (commands[cmd].show == show_verify) {
		ret = show_verify(img, json, stdout);
	} else if (commands[cmd].show) {
		require_whole(img);
		ret = judge(img, commands[cmd].show(img, json, stdout));
	} else {
		other = load(argv[optind + 1]);
		require_whole(img);
		require_whole(other);
		ret = show_diff(img, other, but_time, json, stdout);
		ret = judge(other, judge(img, ret));
		image_free(other);
	}
	image_free(img);
	return finish(ret);
}
