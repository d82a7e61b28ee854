/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_CONSOLE_REPLY_H
#define WORKER_API_CONSOLE_REPLY_H

/* The header lines of every answer of the console. */

/* No other page may frame it, and it loads nothing from elsewhere. */
#define CONSOLE_POLICY \
	"Content-Security-Policy: default-src 'self'; base-uri 'none'; " \
	"form-action 'none'; frame-ancestors 'none'\r\n" \
	"X-Frame-Options: DENY\r\n" \
	"X-Content-Type-Options: nosniff\r\n" \
	"Referrer-Policy: no-referrer\r\n" \
	"Cross-Origin-Opener-Policy: same-origin\r\n"
#define CONSOLE_NO_STORE "Cache-Control: no-store\r\n"

#endif
