// SPDX-License-Identifier: MIT
//
// The recipes of packages that only their own systems can build: the files of
// the RPM are those that make installs (`make rpm` builds it), and APKBUILD
// is a shell script whose package() works (Debian has no abuild), and the image
// is built from all files that are installed (`make containertest` builds it).
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, describe, test } = require('node:test');

const TOP = path.resolve(__dirname, '../..');
const BUILD = path.dirname(path.resolve(process.env.PUSHERD_BIN));
const read = (file) => fs.readFileSync(path.join(TOP, file), 'utf8');
const VERSION = /^VERSION := (.*)$/m.exec(read('Makefile'))[1];

// A make of a make: the outer one's flags are not ours.
function sh(script) {
	const env = { ...process.env };
	for (const name of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL']) delete env[name];
	const r = spawnSync('sh', ['-euc', script], { cwd: TOP, encoding: 'utf8',
		timeout: 300000, env });
	assert.equal(r.status, 0, `${script}: ${r.stdout}${r.stderr}`);
	return r.stdout;
}

describe('packages', () => {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-test-'));
	after(() => fs.rmSync(dir, { recursive: true }));

	// The files below it, "/usr/..." and so on.
	const files = (root) => sh(`cd ${root} && find . ! -type d`).trim()
		.split('\n').map((f) => f.slice(1)).sort();

	test('the RPM has every file that is installed, and no other', () => {
		const root = path.join(dir, 'rpm');
		sh(`make -s BUILD=${BUILD} DESTDIR=${root} PREFIX=/usr \
			ZSHDIR=/usr/share/zsh/site-functions install`);
		const spec = read('etc/rpm/pusherd.spec').split('%files\n')[1]
			.split('\n').map((line) => line.replace(/^%config\S* /, '')
				.replace(/\*$/, '')).filter((line) => line.startsWith('/'));
		const docs = '/usr/share/doc/pusherd';
		assert.deepEqual(files(root).filter((f) =>
			!f.startsWith(`${docs}/`)), spec.filter((f) => f !== docs).sort());
		assert.ok(spec.includes(docs));
		const pages = path.join(root, docs);
		for (const page of fs.readdirSync(pages).filter((f) => /\.md$/.test(f)))
			for (const [, to] of fs.readFileSync(path.join(pages, page), 'utf8')
				.matchAll(/\]\(([^)#:]+)[^):]*\)/g))
				assert.ok(fs.existsSync(path.join(pages, to)),
					`${page} has a link to ${to}`);
	});

	test('the Dockerfile copies all files that are installed', () => {
		const tree = path.join(dir, 'image');
		for (const [, from, to] of read('etc/container/Dockerfile')
			.matchAll(/^COPY (?!--)(.*) (\S+)$/gm))
			sh(`mkdir -p ${tree}/${to} && cp -r ${from} ${
				/\/$/.test(to) ? `${tree}/${to}` : tree}`);
		sh(`make -s -C ${tree} BUILD=${BUILD} -o all install \
			DESTDIR=${dir}/installed PREFIX=/usr`);
		const docs = 'usr/share/doc/pusherd';
		assert.deepEqual(fs.readdirSync(`${dir}/installed/${docs}`).sort(),
			fs.readdirSync(`${dir}/rpm/${docs}`).sort());
	});

	test('APKBUILD: version, packages, package()', () => {
		const root = path.join(dir, 'apk');
		const out = sh(`. etc/alpine/APKBUILD
			srcdir=etc/alpine pkgdir=${root}
			pkgusers=$(id -u) pkggroups=$(id -g)
			_make() { make -s BUILD=${BUILD} "$@"; }
			package
			echo $pkgver
			echo $makedepends
			ls etc/alpine/$install >/dev/null`);
		const [version, depends] = out.trim().split('\n').slice(-2);
		assert.equal(version, VERSION);
		// Those of tests/deps.sh; a build on Alpine has gcc and make.
		const names = new Map([...read('tests/deps.sh')
			.matchAll(/^(\S+) \S+ (\S+) \S+$/gm)].map((m) => [m[1], m[2]]));
		const build = /build\) echo ([^;]*);;/.exec(read('tests/deps.sh'))[1]
			.replaceAll('\\\n', ' ').trim().split(/\s+/)
			.flatMap((p) => names.get(p).split(','))
			.filter((p) => !['gcc', 'make', 'musl-dev', '-'].includes(p));
		assert.deepEqual(depends.split(' ').sort(), build.sort());
		const got = files(root);
		for (const file of ['/usr/sbin/pusherd', '/usr/sbin/pusherctl',
			'/etc/init.d/pusherd', '/etc/pusherd/pusherd.conf'])
			assert.ok(got.includes(file), file);
		assert.ok(!got.some((f) => f.includes('/systemd/')));
		assert.equal(fs.statSync(`${root}/var/lib/pusherd`).mode & 0o777,
			0o700);
	});

	test('the scripts of the packages are shell', () => {
		for (const file of ['alpine/pusherd.initd', 'rpm/build.sh',
			'alpine/pusherd.pre-install']) sh(`sh -n etc/${file}`);
	});
});
