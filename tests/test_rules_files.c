#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules_files.h"

/* A directory of its own with usher.conf's path in it. */
static char directory[64], path[80];

static void
make_directory(void)
{
	snprintf(directory, sizeof(directory), "/tmp/usher-test-files.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/usher.conf", directory);
}

static void
empty(const char *name)
{
	DIR *list = opendir(name);
	struct dirent *entry;
	char file[512];

	while (list != NULL && (entry = readdir(list)) != NULL) {
		snprintf(file, sizeof(file), "%s/%s", name, entry->d_name);
		if (strcmp(entry->d_name, "conf.d") == 0)
			empty(file);
		else if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			remove(file);
	}
	if (list != NULL)
		closedir(list);
	rmdir(name);
}

static void
remove_directory(void)
{
	empty(directory);
}

/* Makes a file below the directory, or a directory if text is NULL. */
static void
make(const char *name, const char *text)
{
	char file[256];
	FILE *out;

	snprintf(file, sizeof(file), "%s/%s", directory, name);
	if (text == NULL) {
		ck_assert_int_eq(mkdir(file, 0700), 0);
		return;
	}
	out = fopen(file, "w");
	ck_assert_ptr_nonnull(out);
	fputs(text, out);
	fclose(out);
}

/* All texts that are read, one after the other. */
static void
read_all(
    const char *file, char *text, size_t size, enum rules_origin *ret_origin)
{
	struct mistakes mistakes = { .n = 0 };
	struct rules_files files;

	ck_assert_int_eq(rules_files_read(file, path, &mistakes, &files), 0);
	text[0] = '\0';
	for (size_t i = 0; i < files.n; i++)
		snprintf(text + strlen(text), size - strlen(text), "%.*s",
		    (int)files.sources[i].len, files.sources[i].text);
	*ret_origin = files.origin;
	rules_files_free(&files);
	mistakes_free(&mistakes);
}

START_TEST(reads_conf_d_in_the_order_of_names)
{
	char text[256];
	enum rules_origin origin;

	make("usher.conf", "main ");
	make("conf.d", NULL);
	make("conf.d/20.conf", "20 ");
	make("conf.d/10.conf", "10 ");
	make("conf.d/9.conf", "9 ");
	make("conf.d/.hidden.conf", "hidden ");
	make("conf.d/10.conf.bak", "bak ");
	make("conf.d/.conf", "dot ");
	read_all(NULL, text, sizeof(text), &origin);
	ck_assert_str_eq(text, "main 10 20 9 ");
	ck_assert_int_eq(origin, RULES_FROM_FILE);
}
END_TEST

START_TEST(reads_a_given_file_alone)
{
	char text[256];
	enum rules_origin origin;

	make("usher.conf", "main ");
	make("conf.d", NULL);
	make("conf.d/10.conf", "10 ");
	read_all(path, text, sizeof(text), &origin);
	ck_assert_str_eq(text, "main ");
}
END_TEST

START_TEST(needs_no_main_file)
{
	char text[256];
	enum rules_origin origin;

	make("conf.d", NULL);
	make("conf.d/10.conf", "10 ");
	read_all(NULL, text, sizeof(text), &origin);
	ck_assert_str_eq(text, "10 ");
	ck_assert_int_eq(origin, RULES_FROM_CONF_D);
}
END_TEST

START_TEST(has_rules_of_its_own)
{
	char text[1024];
	enum rules_origin origin;

	make("conf.d", NULL);
	read_all(NULL, text, sizeof(text), &origin);
	ck_assert_str_eq(text, rules_default_text);
	ck_assert_int_eq(origin, RULES_BUILT_IN);
}
END_TEST

START_TEST(keeps_every_byte)
{
	struct mistakes mistakes = { .n = 0 };
	struct rules_files files;
	size_t n = 3 * 64 * 1024 + 1;
	char *text = malloc(n + 1);

	memset(text, 'x', n);
	text[n] = '\0';
	make("usher.conf", text);
	ck_assert_int_eq(rules_files_read(path, path, &mistakes, &files), 0);
	ck_assert_uint_eq(files.sources[0].len, n);
	ck_assert(memcmp(files.sources[0].text, text, n) == 0);
	rules_files_free(&files);
	free(text);
}
END_TEST

/* What is not there, or is no file, is a mistake without a line. */
static const struct {
	const char *make, *give, *message;
} bad[] = {
	{ NULL, "usher.conf", "cannot read it: No such file or directory" },
	{ "usher.conf", "usher.conf", "cannot read it: Is a directory" },
	{ "usher.conf", NULL, "cannot read it: Is a directory" },
};

START_TEST(says_what_cannot_be_read)
{
	struct mistakes mistakes = { .n = 0 };
	struct rules_files files;

	if (bad[_i].make != NULL)
		make(bad[_i].make, NULL);
	ck_assert_int_eq(rules_files_read(bad[_i].give ? path : NULL, path,
			     &mistakes, &files),
	    -EINVAL);
	ck_assert_uint_eq(mistakes.n, 1);
	ck_assert_uint_eq(mistakes.list[0].line, 0);
	ck_assert_str_eq(mistakes.list[0].file, path);
	ck_assert_str_eq(mistakes.list[0].message, bad[_i].message);
	mistakes_free(&mistakes);
}
END_TEST

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *rules_files_suite(void);

Suite *
rules_files_suite(void)
{
	Suite *suite = suite_create("rules_files");
	TCase *tests = tcase_create("rules_files");

	tcase_add_checked_fixture(tests, make_directory, remove_directory);
	tcase_add_test(tests, reads_conf_d_in_the_order_of_names);
	tcase_add_test(tests, reads_a_given_file_alone);
	tcase_add_test(tests, needs_no_main_file);
	tcase_add_test(tests, has_rules_of_its_own);
	tcase_add_test(tests, keeps_every_byte);
	tcase_add_loop_test(tests, says_what_cannot_be_read, 0, N(bad));
	suite_add_tcase(suite, tests);
	return suite;
}
