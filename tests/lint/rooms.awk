# SPDX-License-Identifier: MIT
#
# rooms.awk: the rule of rooms.sh on lines "file included".

function part(f) {
	sub("/[^/]*$", "", f)
	return f
}

function module(f) {
	sub("\\.[a-z]*$", "", f)
	return f
}

function complain(why) {
	print why
	bad = 1
}

function edge(graph, from, to) {
	if (from == to || (graph, from, to) in has)
		return
	has[graph, from, to] = 1
	next_to[graph, from] = next_to[graph, from] " " to
	node[graph, from] = from
}

# True when a walk along the arrows comes back to where it began.
function is_in_circle(graph, from,    seen, todo, n, i, to, at) {
	todo[n = 1] = from
	while (n > 0) {
		at = todo[n--]
		split(next_to[graph, at], to, " ")
		for (i in to) {
			if (to[i] == from)
				return 1
			if (!(to[i] in seen)) {
				seen[to[i]] = 1
				todo[++n] = to[i]
			}
		}
	}
	return 0
}

BEGIN {
	while ((getline line < "tests/lint/rooms.txt") > 0) {
		sub("#.*", "", line)
		if (split(line, word, " ") < 1)
			continue
		room = word[1]
		sub(":$", "", room)
		known[room] = 1
		for (i = 2; i in word; i++)
			may[room, word[i]] = 1
	}
}

$2 !~ /\// {
	complain($1 ": #include \"" $2 "\": not written from the root")
	next
}

{
	from = part($1)
	to = part($2)
	if (!(from in known))
		complain($1 ": tests/lint/rooms.txt has no room " from)
	else if (from != to && !((from, to) in may))
		complain($1 ": #include \"" $2 "\": " from " may not use " to)
	edge("rooms", from, to)
	edge("modules", module($1), module($2))
}

END {
	for (key in node) {
		name = node[key]
		graph = substr(key, 1, length(key) - length(name) - 1)
		if (is_in_circle(graph, name))
			complain("a circle of " graph " goes through " name)
	}
	exit bad
}
