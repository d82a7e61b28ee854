/* SPDX-License-Identifier: MIT */
/*
 * A TLS client that sends key updates (RFC 8446, 4.6.3) and nothing else: PORT
 * NUMBER.  All leave at once; it ends with its stdin.
 */

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	long n = strtol(argv[2], NULL, 10);
	SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
	BIO *records = BIO_new(BIO_s_mem());
	char *p, end;
	long left;

	if (argc < 3 || connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
		return 1;
	SSL_set0_wbio(ssl, records);
	while (n-- > 0)
		if (SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 ||
		    SSL_do_handshake(ssl) != 1)
			return 1;
	left = BIO_get_mem_data(records, &p);
	while (left > 0) {
		ssize_t sent = send(fd, p, (size_t)left, MSG_NOSIGNAL);

		if (sent == -1)
			return 1;
		p += sent;
		left -= sent;
	}
	while (read(STDIN_FILENO, &end, 1) > 0)
		continue;
	return 0;
}
