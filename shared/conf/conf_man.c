/* SPDX-License-Identifier: MIT */
/*
 * conf_man.c: the manual page pusherd.conf(5), from the list in
 * conf_options.def, so that no option can be missing.  Writes only to the given
 * stream.
 */

#include <inttypes.h>

#include "shared/base/base.h"
#include "shared/conf/conf.h"
#include "shared/conf/env_names.h"
#include "shared/conf/roff.h"

static const char head[] =
    ".\\\" SPDX-License-Identifier: MIT\n"
    ".\\\" Generated from shared/conf/conf_options.def by `make pages`.\n"
    ".TH PUSHERD.CONF 5 \"\" \"pusherd " PUSHERD_VERSION "\"\n"
    ".SH NAME\n"
    "pusherd.conf \\- configuration of pusherd and pusherctl\n"
    ".SH DESCRIPTION\n"
    ".BR pusherd (8)\n"
    "and\n"
    ".BR pusherctl (8)\n"
    "read\n"
    ".I " CONF_DEFAULT_FILE "\n"
    "when it exists, or the file that\n"
    ".B \\-c\n"
    "names, which must exist.\n"
    ".PP\n"
    "A line is an option, blanks, and its value.\n"
    "A # starts a comment.\n"
    "A value with blanks, # or quotes stands in double quotes, in which \\e "
    "is\n"
    "written before a quote and before itself.\n"
    "An unknown option or a value out of its range is an error that names "
    "file\n"
    "and line; then nothing is started.\n"
    ".PP\n"
    "Each option can also be given as an environment variable, PUSHERD_ and "
    "its\n"
    "name in upper case, and on the command line with\n"
    ".BR \\-o \" \" \\fIoption\\fB=\\fIvalue\\fR.\n"
    "The command line overrides the environment, the environment overrides "
    "the\n"
    "file, and the file overrides the default.\n"
    ".PP\n"
    ".B pusherd \\-t\n"
    "tests a configuration,\n"
    ".B pusherd \\-T\n"
    "shows what is in force and where each value comes from.\n"
    "The configuration is read at the start, and again on SIGHUP and by\n"
    ".BR \"pusherctl reload\" .\n"
    "Then either all of it is in force, or, after an error, nothing has "
    "changed.\n"
    "The options database, runtime_dir, pid_file, user, outbox, sandbox,\n"
    "core_dumps, resume_sessions and cluster need a restart, and the answer "
    "says so.\n"
    ".SH OPTIONS\n";

/* Prose about options that their help only names. */
static const char secure[] =
    ".SH TLS\n"
    "An address with\n"
    ".B tls\n"
    "speaks TLS 1.2 and 1.3 (see\n"
    ".IR tls_min_version ),\n"
    "and HTTP/1.1 in it.\n"
    ".TP\n"
    ".B Certificates\n"
    "Each file of\n"
    ".I tls_certificate\n"
    "is PEM: first the certificate, then those that signed it, without the "
    "root.\n"
    "Its key stands in the file of\n"
    ".I tls_key\n"
    "at the same place, or in the same file; a key with a passphrase is "
    "refused.\n"
    "The user of the option\n"
    ".I user\n"
    "must be able to read the files and to enter the directories above them.\n"
    "It cannot read the files of certbot: let a deploy hook copy them.\n"
    ".TP\n"
    ".B Names (SNI)\n"
    "Among several certificates the name that the client asks for chooses: one "
    "that\n"
    "has exactly this name, else one with a wildcard (*.example.com), else the "
    "first\n"
    "of all.\n"
    "Two certificates for the same names, one with an RSA and one with an EC "
    "key,\n"
    "serve together: each client gets the one that it can use.\n"
    ".TP\n"
    ".B Rotation\n"
    "pusherd looks at the files every two seconds and reads them again when "
    "they\n"
    "have changed and then stayed the same; a reload reads them at once.\n"
    "New connections get the new certificate; open connections keep theirs.\n"
    "When a file is damaged, has no end, or a key belongs to another "
    "certificate,\n"
    "the old ones stay in use, the log says why, and\n"
    ".B pusherctl reload\n"
    "fails.\n"
    "pusherd serves an expired certificate, and warns of it.\n"
    "The days that are left are shown by\n"
    ".B pusherctl status\n"
    "and by the metrics.\n"
    ".TP\n"
    ".B Tickets\n"
    "A session can be resumed by ticket in any worker, also after a worker or "
    "the\n"
    "broker has been replaced.\n"
    "pusherd makes a new key for tickets every 12 hours and accepts the "
    "previous\n"
    "one for 12 hours more.  It writes neither to a file; a restart makes new "
    "ones.\n"
    ".TP\n"
    ".B Clients that must use it\n"
    "The setting\n"
    ".I tls_only\n"
    "of an app (see\n"
    ".BR pusherctl (8),\n"
    "app set) refuses clients without TLS with 4000.\n"
    ".SH PROXIES\n"
    "pusherd believes a proxy about its clients only when the address of the "
    "proxy\n"
    "is in\n"
    ".IR trusted_proxies ,\n"
    "or when the proxy connects by a Unix socket.\n"
    ".TP\n"
    ".BR X-Forwarded-For \", \" Forwarded\n"
    "The client is the right-most address that is not a trusted proxy.\n"
    ".TP\n"
    ".B X-Forwarded-Proto\n"
    "https or wss: the client came by TLS, which the proxy has ended; so an "
    "app with\n"
    ".I tls_only\n"
    "lets it in.\n"
    "From anybody else it is ignored.\n"
    ".TP\n"
    ".B PROXY protocol\n"
    "An address with\n"
    ".B proxy_protocol\n"
    "takes connections of trusted proxies only, each of which begins with a "
    "head of\n"
    "version 1 or 2 that names the client.\n"
    "Version 2 may also say that the client came by TLS (HAProxy:\n"
    ".BR send\\-proxy\\-v2\\-ssl );\n"
    "then that counts like X-Forwarded-Proto.\n"
    "Headers in the request count only if the client that the head names is "
    "itself\n"
    "a trusted proxy.\n"
    ".TP\n"
    ".B TLS behind a proxy\n"
    "An address may have both\n"
    ".B tls\n"
    "and\n"
    ".BR proxy_protocol :\n"
    "the head comes first, then the handshake.\n";

static const char tail[] = ".SH EXAMPLES\n"
			   ".nf\n"
			   "listen      0.0.0.0:6001\n"
			   "listen      [::]:6001\n"
			   "workers     auto\n"
			   "user        pusherd\n"
			   "log_format  json\n"
			   ".fi\n"
			   ".SH FILES\n"
			   ".TP\n"
			   ".I " CONF_DEFAULT_FILE "\n"
			   "read when there is no\n"
			   ".BR \\-c .\n"
			   ".SH SEE ALSO\n"
			   ".BR pusherd (8),\n"
			   ".BR pusherctl (8)\n";

static void
put_option(FILE *f, const char *name, const char *what, const char *def,
    const char *help)
{
	fprintf(f, ".TP\n.BR %s \" \" \\fI", name);
	roff_inline(f, what);
	fputs("\\fR\n", f);
	roff_text(f, help);
	fputs(".\n", f);
	if (*def == '\0')
		return;
	fputs("Default: ", f);
	roff_inline(f, def);
	fputs(".\n", f);
}

static void
put_number(FILE *f, const char *name, const uint64_t v[3], const char *help)
{
	char def[32], range[80];

	snprintf(def, sizeof(def), "%" PRIu64, v[0]);
	snprintf(range, sizeof(range), "%" PRIu64 "..%" PRIu64, v[1], v[2]);
	put_option(f, name, range, def, help);
}

static void
put_env(FILE *f, const struct env_name *e)
{
	switch (e->kind) {
	case ENV_SETS:
		fprintf(f, ".TP\n.B %s\nThe option %s.\n", e->name, e->target);
		break;
	case ENV_MAKES:
		fprintf(f, ".TP\n.B %s\n%s of the first app.\n", e->name,
		    e->target);
		break;
	case ENV_ASKS:
		fprintf(f, ".TP\n.B %s\nMust be %s: ", e->name, e->choices);
		roff_text(f, e->why);
		fputs(".\n", f);
		break;
	case ENV_ENDS:
		fprintf(f, ".TP\n.B %s\nRefused: ", e->name);
		roff_text(f, e->why);
		fputs(".\n", f);
		break;
	default:
		break;
	}
}

static void
put_env_list(FILE *f, const char *title, enum env_kind kind)
{
	const char *between = "";

	fprintf(f, ".PP\n%s\n", title);
	for (size_t i = 0; i < env_names_n; i++) {
		if (env_names[i].kind != kind)
			continue;
		fprintf(f, "%s%s", between, env_names[i].name);
		between = ",\n";
	}
	fputs(".\n", f);
}

/* The names of other servers. */
static void
put_environment(FILE *f)
{
	fputs(".SH ENVIRONMENT\n"
	      "Names that other servers have, too; those with PUSHERD_ "
	      "override them.\n"
	      "The first app is made at the start, when there is an id, a key "
	      "and a secret in\n"
	      "one family of names and no app has this id; later it is changed "
	      "with\n"
	      ".BR pusherctl (8).\n"
	      "Variables that Kubernetes and Docker set for a service"
	      "\n(PUSHERD_PORT=tcp://..., SOKETI_SERVICE_HOST) are not "
	      "used;\none "
	      "line of the log names them.\n",
	    f);
	for (size_t i = 0; i < env_names_n; i++)
		put_env(f, &env_names[i]);
	put_env_list(
	    f, "Not used; pusherd logs the reason when it starts:", ENV_SKIPS);
	put_env_list(f, "For other programs, and ignored:", ENV_KEEPS);
}

void
conf_print_man(FILE *f)
{
	fputs(head, f);
#define CONF_TEXT(name, def, help) put_option(f, #name, "text", def, help);
#define CONF_PATH(name, def, help) put_option(f, #name, "path", def, help);
#define CONF_LIST(name, def, help) \
	put_option(f, #name, "value", def, help); \
	fputs("May be given several times; commas separate " \
	      "several values.\n", \
	    f);
#define CONF_UINT(name, def, min, max, help) \
	put_number(f, #name, (const uint64_t[3]){ def, min, max }, help);
#define CONF_ENUM(name, def, choices, help) \
	put_option(f, #name, choices, def, help);
#define CONF_BOOL(name, def, help) \
	put_option(f, #name, "on|off", (def) ? "on" : "off", help);
#include "shared/conf/conf_options.def"
	fputs(secure, f);
	put_environment(f);
	fputs(tail, f);
}
