#!/bin/sh
# SPDX-License-Identifier: MIT
#
# embed.sh DIR FILE...: writes DIR/page.S and DIR/page.c, with which the files
# of the console's page are part of the program: as they are, and compressed.
set -eu
dir=$1
shift
mkdir -p "$dir"

type_of() {
	case $1 in
	*.html) echo 'text/html; charset=utf-8' ;;
	*.css) echo 'text/css; charset=utf-8' ;;
	*.js) echo 'text/javascript; charset=utf-8' ;;
	*.svg) echo 'image/svg+xml' ;;
	esac
}

: >"$dir/page.S.new"
: >"$dir/page.rows"
: >"$dir/page.externs"
echo '.section .rodata' >"$dir/page.S.new"
i=0
for f in "$@"; do
	name=$(basename "$f")
	zip=$dir/$name.gz
	gzip -9nc "$f" >"$zip"
	tag=$(sha256sum <"$f" | cut -c1-16)
	shown=$name
	[ "$name" != index.html ] || shown=
	for part in "plain $f" "gzip $zip"; do
		symbol=page_${part%% *}_$i
		printf '.global %s\n.hidden %s\n%s:\n.incbin "%s"\n' \
		    "$symbol" "$symbol" "$symbol" "${part#* }" >>"$dir/page.S.new"
		echo "extern const char $symbol[];" >>"$dir/page.externs"
	done
	printf '\t{ "%s", "%s", "\\"%s\\"",\n\t    { page_plain_%d, %d }, { page_gzip_%d, %d } },\n' \
	    "$shown" "$(type_of "$name")" "$tag" $i "$(wc -c <"$f")" \
	    $i "$(wc -c <"$zip")" >>"$dir/page.rows"
	i=$((i + 1))
done
echo '.section .note.GNU-stack,"",%progbits' >>"$dir/page.S.new"
{
	echo '#include "worker/api/console_page.h"'
	cat "$dir/page.externs"
	echo 'const struct page_file page_files[] = {'
	cat "$dir/page.rows"
	echo '};'
	echo "const size_t page_nfiles = $i;"
} >"$dir/page.c.new"
mv "$dir/page.S.new" "$dir/page.S"
mv "$dir/page.c.new" "$dir/page.c"
rm -f "$dir/page.rows" "$dir/page.externs"
