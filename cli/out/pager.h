/* SPDX-License-Identifier: MIT */
#ifndef CLI_OUT_PAGER_H
#define CLI_OUT_PAGER_H

#include <stdbool.h>

/*
 * Is the descriptor a pipe that a pager reads (less, more, most, the program
 * of PAGER)?  Then a person sees what is written.
 */
bool pager_reads(int fd);

#endif
