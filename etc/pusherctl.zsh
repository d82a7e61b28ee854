#compdef pusherctl
# SPDX-License-Identifier: MIT
# zsh completion of pusherctl, generated from its tables by `make pages`.

_pusherctl()
{
	local -a verbs options conf w
	local i verb args prev=$words[CURRENT-1] cur=$words[CURRENT]
	verbs=(
		'app create:Make an app and print its credentials'
		'app list:List the apps'
		'app show:Print an app with all its settings'
		'app set:Change settings of an app'
		'app enable:Let clients connect again'
		'app disable:Refuse clients and close the present ones'
		'app delete:Delete an app and close its clients'
		'app import:Import the apps of another server'
		'app export:Print apps with secrets and webhooks as JSON'
		'app snippets:Print code for clients and servers, filled in'
		'app rotate-key:Give an app a new key and secret'
		'status:Print the state of the server and its workers'
		'cluster status:Print the other hosts, and the state of Redis'
		'cluster hosts:List the hosts of the cluster'
		'cluster leave:Take this host out of its cluster'
		'top:Watch the rates of workers and apps'
		'stats:Print counters, peaks and rates by the minute'
		'closes:List the connections that ended last, and why'
		'config:Print each value and where it comes from'
		'config set:Change an option of the running server'
		'config rewrite:Write what config set has changed to the file'
		'channels:List the occupied channels'
		'channel:Print subscriptions, cached event and members'
		'channel purge-cache:Forget the cached event of a cache channel'
		'connections list:List the connected clients'
		'connections show:Print a connection and its channels'
		'connections kill:Close a connection, or all of an app or user'
		'sessions:List the resumable sessions of clients'
		'sessions show:Print a session and what it would get now'
		'users list:List the users that are signed in'
		'users show:Print a signed-in user'\''s connections'
		'users kick:Close a signed-in user'\''s connections'
		'publish:Send an event to a channel'
		'tail:Print events as they are published'
		'subscribe:Connect as a client and print events'
		'sign:Print the answer of an auth endpoint'
		'explain-auth:Explain why a request'\''s signature is refused'
		'webhook add:Send the events of an app to a URL'
		'webhook list:List the webhooks and their state'
		'webhook show:Print a webhook'
		'webhook set:Change a webhook'
		'webhook remove:Remove a webhook and its waiting requests'
		'webhook test:Send a test event and wait for the answer'
		'webhook deliveries:List waiting, dead and delivered requests'
		'webhook retry:Send dead requests again, with the same id'
		'webhook purge:Delete dead requests'
		'verify-webhook:Check the signature of a webhook'\''s body'
		'doctor:Explain why events do not arrive'
		'reload:Read the configuration again'
		'drain:Close all clients over time, and stop pusherd'
		'worker replace:Replace the process of a worker'
		'upgrade:Replace the running program by another one'
		'log-level:Change the level of the log'
		'console:Print a URL that opens the console'
		'bench:Put load on a server and measure'
	)
	local -a settings=(name= client_events= subscription_count= max_connections= max_client_events_per_second= max_messages_per_second= max_presence_members= max_presence_member_bytes= max_user_id_length= max_watchlist_ids= max_channel_name_length= max_event_name_length= max_event_channels= max_event_bytes= max_batch_events= activity_timeout= allowed_origins= cache_ttl= max_subscriptions= max_backend_events_per_second= max_read_requests_per_second= max_timestamp_age= authorized_connections= authorized_connection_timeout= tls_only= compression= webhook_allow_private= resume= resume_bytes= resume_time= resume_client_events= presence_grace=)
	case $prev in
	-c | --secret-from | --secret-from) _files; return ;;
	-o) compadd -S '' -- listen= metrics_listen= console_url= metrics_prefix= metrics_soketi_names= metrics_per_app= tls_certificate= tls_key= tls_min_version= tls_ciphers= trusted_proxies= client_address_header= path_prefix= workers= database= runtime_dir= pid_file= user= sandbox= core_dumps= log= log_level= log_format= max_connections= max_message_bytes= max_request_bytes= max_head_bytes= handshake_timeout= keepalive_timeout= pong_timeout= client_buffer= client_buffer_age= max_bad_messages= max_auth_failures_per_minute= drain_time= upgrade_linger= crash_grace= resume_sessions= resume_ack_interval= resume_acks_per_second= resume_max_events= cache_memory= memory_limit= strict_protocol= strict_subscribe= compression= compression_min_bytes= compression_alone_bytes= compression_level= outbox= outbox_max_rows= outbox_max_bytes= webhook_allow_private= webhook_ca_file= webhook_timeout= webhook_retry_time= webhook_dead_letter_days= cluster= cluster_auth= cluster_ca_file= cluster_cert= cluster_wait= cluster_stream_bytes= cluster_name= cluster_host=; return ;;
	--set) compadd -S '' -- $settings; return ;;
	--name | --id | --key | --from | --overlap | --interval | --minutes | --hours | --since | --step | --limit | --prefix | --events | --channel | --user | --sort | --limit | --app | --channel | --user | --socket-id | --wait | --events | --grep | --limit | --since | --user | --info | --events | --grep | --limit | --resume | --user | --at | --events | --channel-prefix | --channel-suffix | --channel-glob | --header | --header | --state | --channel | --url | --time | --binary | --app | --ttl | --host | --port | --app | --app-id | --key | --clients | --channels | --subscriptions | --publishers | --in-flight | --rate | --batch | --size | --at-once | --slow | --sources | --processes | --seconds | --pid) return ;;
	esac
	for ((i = 2; i < CURRENT; i++)); do
		case $words[i] in
		-c | -o) conf+=("${(@)words[i,i+1]}"); ((i++)) ;;
		--set | --secret-from | --secret-from | \
			--name | --id | --key | --from | --overlap | --interval | --minutes | --hours | --since | --step | --limit | --prefix | --events | --channel | --user | --sort | --limit | --app | --channel | --user | --socket-id | --wait | --events | --grep | --limit | --since | --user | --info | --events | --grep | --limit | --resume | --user | --at | --events | --channel-prefix | --channel-suffix | --channel-glob | --header | --header | --state | --channel | --url | --time | --binary | --app | --ttl | --host | --port | --app | --app-id | --key | --clients | --channels | --subscriptions | --publishers | --in-flight | --rate | --batch | --size | --at-once | --slow | --sources | --processes | --seconds | --pid) ((i++)) ;;
		-*) ;;
		*) w+=($words[i]) ;;
		esac
	done
	if [[ $w[1] == help ]]; then shift w; fi
	if (( ! $#w )); then
		if [[ $cur == -* ]]; then
			compadd -- -c -o -j -V --version --header --help
		else
			compadd -- ${(u)${(@)verbs%%[ :]*}} help
		fi
		return
	fi
	verb="$w[1] $w[2]"
	if (( $#w == 1 )) || [[ -z ${(M)verbs:#$verb:*} ]]; then
		verb=$w[1]
		if (( $#w == 1 )) && [[ $cur != -* ]]; then
			verbs=("${(@)${(@M)verbs:#$verb *}#$verb }")
			_describe command verbs
		fi
	else
		shift w
	fi
	shift w
	case $verb in
	'app create') options=(--name --id --key --secret-from --set --if-none --if-absent) args= ;;
	'app list') options=() args= ;;
	'app show') options=(--reveal) args=a ;;
	'app set') options=() args=as ;;
	'app enable') options=() args=a ;;
	'app disable') options=() args=a ;;
	'app delete') options=(--yes) args=a ;;
	'app import') options=(--from --dry-run --replace) args=f ;;
	'app export') options=() args=a ;;
	'app snippets') options=() args=a ;;
	'app rotate-key') options=(--overlap --finish) args=a ;;
	'status') options=() args= ;;
	'cluster status') options=() args= ;;
	'cluster hosts') options=() args= ;;
	'cluster leave') options=() args= ;;
	'top') options=(--interval) args= ;;
	'stats') options=(--minutes --hours --since --step --csv) args=a ;;
	'closes') options=(--limit) args=a ;;
	'config') options=(--here) args= ;;
	'config set') options=() args= ;;
	'config rewrite') options=() args= ;;
	'channels') options=(--prefix) args=a ;;
	'channel') options=(--events) args=a ;;
	'channel purge-cache') options=() args=a ;;
	'connections list') options=(--channel --user --sort --reverse --limit) args=a ;;
	'connections show') options=() args= ;;
	'connections kill') options=(--app --channel --user --reconnect --yes) args= ;;
	'sessions') options=() args=a ;;
	'sessions show') options=() args= ;;
	'users list') options=() args=a ;;
	'users show') options=() args=a ;;
	'users kick') options=(--reconnect) args=a ;;
	'publish') options=(--socket-id --wait) args=a ;;
	'tail') options=(--events --grep --own --limit --since) args=a ;;
	'subscribe') options=(--user --info --events --grep --limit --resume) args=a ;;
	'sign') options=(--user) args=a ;;
	'explain-auth') options=(--at) args=f ;;
	'webhook add') options=(--events --channel-prefix --channel-suffix --channel-glob --header --batch) args=a ;;
	'webhook list') options=() args=a ;;
	'webhook show') options=(--reveal) args= ;;
	'webhook set') options=(--header --no-headers) args=s ;;
	'webhook remove') options=() args= ;;
	'webhook test') options=() args= ;;
	'webhook deliveries') options=(--state) args= ;;
	'webhook retry') options=() args= ;;
	'webhook purge') options=(--waiting) args= ;;
	'verify-webhook') options=() args=af ;;
	'doctor') options=(--channel --url) args=a ;;
	'reload') options=(--wait) args= ;;
	'drain') options=(--time --wait) args= ;;
	'worker replace') options=() args= ;;
	'upgrade') options=(--binary) args= ;;
	'log-level') options=() args= ;;
	'console') options=(--app --read-only --ttl) args= ;;
	'bench') options=(--host --port --tls --app --app-id --key --secret-from --clients --channels --subscriptions --publishers --in-flight --rate --batch --size --at-once --slow --resume --sources --processes --seconds --pid) args= ;;
	esac
	if [[ $cur == -* ]]; then
		compadd -- $options -j --header --help
	elif [[ $args == *s* ]] && (( $#w )); then
		compadd -S '' -- $settings
	elif [[ $args == *a* ]] && (( ! $#w )); then
		compadd -- ${(f)"$($words[1] $conf app list 2>/dev/null |
			cut -f 1)"}
	elif [[ $args == *f* ]]; then
		_files
	fi
}

_pusherctl "$@"
