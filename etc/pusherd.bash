# SPDX-License-Identifier: MIT
# bash completion of pusherctl and pusherd.
# Generated from their tables by `make pages`.

_pusherd_options='listen metrics_listen console_url metrics_prefix metrics_soketi_names metrics_per_app tls_certificate tls_key tls_min_version tls_ciphers trusted_proxies client_address_header path_prefix workers database runtime_dir pid_file user sandbox core_dumps log log_level log_format max_connections max_message_bytes max_request_bytes max_head_bytes handshake_timeout keepalive_timeout pong_timeout client_buffer client_buffer_age max_bad_messages max_auth_failures_per_minute drain_time upgrade_linger crash_grace resume_sessions resume_ack_interval resume_acks_per_second resume_max_events cache_memory memory_limit strict_protocol strict_subscribe compression compression_min_bytes compression_alone_bytes compression_level outbox outbox_max_rows outbox_max_bytes webhook_allow_private webhook_ca_file webhook_timeout webhook_retry_time webhook_dead_letter_days cluster cluster_auth cluster_ca_file cluster_cert cluster_wait cluster_stream_bytes cluster_name cluster_host'
_pusherd_settings='name client_events subscription_count max_connections max_client_events_per_second max_messages_per_second max_presence_members max_presence_member_bytes max_user_id_length max_watchlist_ids max_channel_name_length max_event_name_length max_event_channels max_event_bytes max_batch_events activity_timeout allowed_origins cache_ttl max_subscriptions max_backend_events_per_second max_read_requests_per_second max_timestamp_age authorized_connections authorized_connection_timeout tls_only compression webhook_allow_private resume resume_bytes resume_time resume_client_events presence_grace'

_pusherd_assign()
{
	compopt -o nospace 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -S = -W "$1" -- "$2")
}

_pusherd_files()
{
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_pusherd()
{
	case $3 in
	-c) _pusherd_files "$2" ;;
	-o) _pusherd_assign "$_pusherd_options" "$2" ;;
	*) mapfile -t COMPREPLY < <(compgen -W \
		'-c -o -F -t -T -V --version -h --help' -- "$2") ;;
	esac
}

# The words of the command so far; a value behind = or : is none.
_pusherctl_words()
{
	local i
	words=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		= | : | -c | -o) ((i++)) ;;
		--name | --id | --key | --from | --overlap | --interval | --minutes | --hours | --since | --step | --limit | --prefix | --events | --channel | --user | --sort | --limit | --app | --channel | --user | --socket-id | --wait | --events | --grep | --limit | --since | --user | --info | --events | --grep | --limit | --resume | --user | --at | --events | --channel-prefix | --channel-suffix | --channel-glob | --header | --header | --state | --channel | --url | --time | --binary | --app | --ttl | --host | --port | --app | --app-id | --key | --clients | --channels | --subscriptions | --publishers | --in-flight | --rate | --batch | --size | --at-once | --slow | --sources | --processes | --seconds | --pid | --set) ((i++)) ;;
		--secret-from | --secret-from) ((i++)) ;;
		-*) ;;
		*) words+=("${COMP_WORDS[i]}") ;;
		esac
	done
}

_pusherctl()
{
	local cur=$2 list='' files='' verb
	local -a words
	case $3 in
	= | :) return ;;
	-c) _pusherd_files "$cur"; return ;;
	-o) _pusherd_assign "$_pusherd_options" "$cur"; return ;;
	--set) _pusherd_assign "$_pusherd_settings" "$cur"; return ;;
	--secret-from | --secret-from) _pusherd_files "$cur"; return ;;
	--name | --id | --key | --from | --overlap | --interval | --minutes | --hours | --since | --step | --limit | --prefix | --events | --channel | --user | --sort | --limit | --app | --channel | --user | --socket-id | --wait | --events | --grep | --limit | --since | --user | --info | --events | --grep | --limit | --resume | --user | --at | --events | --channel-prefix | --channel-suffix | --channel-glob | --header | --header | --state | --channel | --url | --time | --binary | --app | --ttl | --host | --port | --app | --app-id | --key | --clients | --channels | --subscriptions | --publishers | --in-flight | --rate | --batch | --size | --at-once | --slow | --sources | --processes | --seconds | --pid) return ;;
	esac
	_pusherctl_words
	if [[ ${words[0]-} == help ]]; then words=("${words[@]:1}"); fi
	verb=${words[0]-}
	case $verb in
	app)
		case ${words[1]-} in
		create)
			list='--name --id --key --secret-from --set --if-none --if-absent' ;;
		list)
			list='' ;;
		show)
			list='--reveal' ;;
		set)
			if ((${#words[@]} > 2)) && [[ $cur != -* ]]; then
				_pusherd_assign "$_pusherd_settings" "$cur"
				return
			fi
			list='' ;;
		enable)
			list='' ;;
		disable)
			list='' ;;
		delete)
			list='--yes' ;;
		import)
			list='--from --dry-run --replace' files=1 ;;
		export)
			list='' ;;
		snippets)
			list='' ;;
		rotate-key)
			list='--overlap --finish' ;;
		'') list='create list show set enable disable delete import export snippets rotate-key' ;;
		esac ;;
	status) list='' ;;
	cluster)
		case ${words[1]-} in
		status)
			list='' ;;
		hosts)
			list='' ;;
		leave)
			list='' ;;
		'') list='status hosts leave' ;;
		esac ;;
	top) list='--interval' ;;
	stats) list='--minutes --hours --since --step --csv' ;;
	closes) list='--limit' ;;
	config)
		case ${words[1]-} in
		set)
			list='' ;;
		rewrite)
			list='' ;;
		'') list='set rewrite' ;;
		*) list='--here' ;;
		esac ;;
	channels) list='--prefix' ;;
	channel)
		case ${words[1]-} in
		purge-cache)
			list='' ;;
		'') list='purge-cache' ;;
		*) list='--events' ;;
		esac ;;
	connections)
		case ${words[1]-} in
		list)
			list='--channel --user --sort --reverse --limit' ;;
		show)
			list='' ;;
		kill)
			list='--app --channel --user --reconnect --yes' ;;
		'') list='list show kill' ;;
		esac ;;
	sessions)
		case ${words[1]-} in
		show)
			list='' ;;
		'') list='show' ;;
		*) list='' ;;
		esac ;;
	users)
		case ${words[1]-} in
		list)
			list='' ;;
		show)
			list='' ;;
		kick)
			list='--reconnect' ;;
		'') list='list show kick' ;;
		esac ;;
	publish) list='--socket-id --wait' ;;
	tail) list='--events --grep --own --limit --since' ;;
	subscribe) list='--user --info --events --grep --limit --resume' ;;
	sign) list='--user' ;;
	explain-auth) list='--at' files=1 ;;
	webhook)
		case ${words[1]-} in
		add)
			list='--events --channel-prefix --channel-suffix --channel-glob --header --batch' ;;
		list)
			list='' ;;
		show)
			list='--reveal' ;;
		set)
			if ((${#words[@]} > 2)) && [[ $cur != -* ]]; then
				_pusherd_assign "$_pusherd_settings" "$cur"
				return
			fi
			list='--header --no-headers' ;;
		remove)
			list='' ;;
		test)
			list='' ;;
		deliveries)
			list='--state' ;;
		retry)
			list='' ;;
		purge)
			list='--waiting' ;;
		'') list='add list show set remove test deliveries retry purge' ;;
		esac ;;
	verify-webhook) list='' files=1 ;;
	doctor) list='--channel --url' ;;
	reload) list='--wait' ;;
	drain) list='--time --wait' ;;
	worker)
		case ${words[1]-} in
		replace)
			list='' ;;
		'') list='replace' ;;
		esac ;;
	upgrade) list='--binary' ;;
	log-level) list='' ;;
	console) list='--app --read-only --ttl' ;;
	bench) list='--host --port --tls --app --app-id --key --secret-from --clients --channels --subscriptions --publishers --in-flight --rate --batch --size --at-once --slow --resume --sources --processes --seconds --pid' ;;
	'')
		if [[ $cur == -* ]]; then list='-c -o -V --version'
		else list='app status cluster top stats closes config channels channel connections sessions users publish tail subscribe sign explain-auth webhook verify-webhook doctor reload drain worker upgrade log-level console bench help'; fi ;;
	esac
	case $cur in
	-*) list+=' -j --header --help' ;;
	esac
	if [[ $files && $cur != -* ]]; then
		_pusherd_files "$cur"
	else
		mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur")
	fi
}

complete -F _pusherctl pusherctl
complete -F _pusherd pusherd
