/* SPDX-License-Identifier: MIT */
/*
 * corpus.c: main() of a fuzz target as a plain program: gives it every file
 * of the directories (or the files) in its arguments, once, and prints how
 * many.  A target that finds something aborts; with FUZZ_VERBOSE set each
 * file is named before.
 */

#include <dirent.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static unsigned ninputs;

static void
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = NULL;
	size_t n = 0, k;

	if (f == NULL) {
		perror(path);
		exit(1);
	}
	do {
		bytes = xreallocarray(bytes, n + 65536, 1);
		k = fread(bytes + n, 1, 65536, f);
		n += k;
	} while (k > 0);
	fclose(f);
	/* In memory of its own size, so that a sanitizer sees its end. */
	bytes = xreallocarray(bytes, n == 0 ? 1 : n, 1);
	LLVMFuzzerTestOneInput(bytes, n);
	free(bytes);
	ninputs++;
}

static void
run(const char *path)
{
	struct stat st;
	struct dirent *e;
	DIR *dir;

	if (stat(path, &st) == -1) {
		perror(path);
		exit(1);
	}
	if (!S_ISDIR(st.st_mode)) {
		run_file(path);
		return;
	}
	dir = opendir(path);
	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		char *name;

		if (e->d_name[0] == '.')
			continue;
		name = xasprintf("%s/%s", path, e->d_name);
		if (getenv("FUZZ_VERBOSE") != NULL)
			fprintf(stderr, "%s\n", name);
		run_file(name);
		free(name);
	}
	closedir(dir);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run(argv[i]);
	printf("%u inputs\n", ninputs);
	return ninputs > 0 ? 0 : 1;
}
