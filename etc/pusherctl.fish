# SPDX-License-Identifier: MIT
# fish completion of pusherctl, generated from its tables by `make pages`.

# The words of the command so far, without options and their values.
function __pusherctl_words
    set -l skip 0
    for t in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if contains -- $t -c -o --set --secret-from --secret-from \
                --name --id --key --from --overlap --interval --minutes --hours --since --step --limit --prefix --events --channel --user --sort --limit --app --channel --user --socket-id --wait --events --grep --limit --since --user --info --events --grep --limit --resume --user --at --events --channel-prefix --channel-suffix --channel-glob --header --header --state --channel --url --time --binary --app --ttl --host --port --app --app-id --key --clients --channels --subscriptions --publishers --in-flight --rate --batch --size --at-once --slow --sources --processes --seconds --pid
            set skip 1
        else if not string match -q -- '-*' $t
            test "$t" = help; or echo $t
        end
    end
end

# Are these the words, and exactly (or at least) these?
function __pusherctl_at
    set -l w (__pusherctl_words)
    test "$w" = "$argv"
end
function __pusherctl_in
    set -l n (count $argv)
    set -l w (__pusherctl_words)
    test (count $w) -ge $n; and test "$w[1..$n]" = "$argv"
end

function __pusherctl_apps
    set -l t (commandline -opc)
    set -l conf
    for i in (seq 2 (count $t))
        if contains -- $t[$i] -c -o
            set -a conf $t[$i] $t[(math $i + 1)]
        end
    end
    $t[1] $conf app list 2>/dev/null | cut -f 1,4
end

complete -c pusherctl -f
complete -c pusherctl -s c -r -F -d 'configuration file'
complete -c pusherctl -s o -x -a 'listen= metrics_listen= console_url= metrics_prefix= metrics_soketi_names= metrics_per_app= tls_certificate= tls_key= tls_min_version= tls_ciphers= trusted_proxies= client_address_header= path_prefix= workers= database= runtime_dir= pid_file= user= sandbox= core_dumps= log= log_level= log_format= max_connections= max_message_bytes= max_request_bytes= max_head_bytes= handshake_timeout= keepalive_timeout= pong_timeout= client_buffer= client_buffer_age= max_bad_messages= max_auth_failures_per_minute= drain_time= upgrade_linger= crash_grace= resume_sessions= resume_ack_interval= resume_acks_per_second= resume_max_events= cache_memory= memory_limit= strict_protocol= strict_subscribe= compression= compression_min_bytes= compression_alone_bytes= compression_level= outbox= outbox_max_rows= outbox_max_bytes= webhook_allow_private= webhook_ca_file= webhook_timeout= webhook_retry_time= webhook_dead_letter_days= cluster= cluster_auth= cluster_ca_file= cluster_cert= cluster_wait= cluster_stream_bytes= cluster_name= cluster_host=' -d 'one option of it'
complete -c pusherctl -s j -d 'print JSON'
complete -c pusherctl -l header -d 'a heading for tables in a pipe'
complete -c pusherctl -l help -d 'print help'
complete -c pusherctl -n __pusherctl_at -a help -d 'Print what a command takes'
complete -c pusherctl -n __pusherctl_at -a app
complete -c pusherctl -n '__pusherctl_at app' -a create -d 'Make an app and print its credentials'
complete -c pusherctl -n '__pusherctl_in app create' -l name -x -d 'a label for people'
complete -c pusherctl -n '__pusherctl_in app create' -l id -x -d '(default: random digits)'
complete -c pusherctl -n '__pusherctl_in app create' -l key -x -d '(default: 20 random hex digits)'
complete -c pusherctl -n '__pusherctl_in app create' -l secret-from -r -F -d 'the file with the secret, - for stdin (default: random)'
complete -c pusherctl -n '__pusherctl_in app create' -l set -x -d 'a setting; may be given several times'
complete -c pusherctl -n '__pusherctl_in app create' -l if-none -d 'do nothing when there is an app already'
complete -c pusherctl -n '__pusherctl_in app create' -l if-absent -d 'do nothing when there is an app with this --id'
complete -c pusherctl -n '__pusherctl_at app' -a list -d 'List the apps'
complete -c pusherctl -n '__pusherctl_at app' -a show -d 'Print an app with all its settings'
complete -c pusherctl -n '__pusherctl_in app show' -l reveal -d 'print the secret, too'
complete -c pusherctl -n '__pusherctl_at app show' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at app' -a set -d 'Change settings of an app'
complete -c pusherctl -n '__pusherctl_at app set' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_in app set' -a 'name= client_events= subscription_count= max_connections= max_client_events_per_second= max_messages_per_second= max_presence_members= max_presence_member_bytes= max_user_id_length= max_watchlist_ids= max_channel_name_length= max_event_name_length= max_event_channels= max_event_bytes= max_batch_events= activity_timeout= allowed_origins= cache_ttl= max_subscriptions= max_backend_events_per_second= max_read_requests_per_second= max_timestamp_age= authorized_connections= authorized_connection_timeout= tls_only= compression= webhook_allow_private= resume= resume_bytes= resume_time= resume_client_events= presence_grace='
complete -c pusherctl -n '__pusherctl_at app' -a enable -d 'Let clients connect again'
complete -c pusherctl -n '__pusherctl_at app enable' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at app' -a disable -d 'Refuse clients and close the present ones'
complete -c pusherctl -n '__pusherctl_at app disable' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at app' -a delete -d 'Delete an app and close its clients'
complete -c pusherctl -n '__pusherctl_in app delete' -l yes -d 'do not ask'
complete -c pusherctl -n '__pusherctl_at app delete' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at app' -a import -d 'Import the apps of another server'
complete -c pusherctl -n '__pusherctl_in app import' -l from -x -d 'pusherd, soketi, sockudo or reverb'
complete -c pusherctl -n '__pusherctl_in app import' -l dry-run -d 'print each change, and write nothing'
complete -c pusherctl -n '__pusherctl_in app import' -l replace -d 'overwrite apps that have the same id'
complete -c pusherctl -n '__pusherctl_in app import' -F
complete -c pusherctl -n '__pusherctl_at app' -a export -d 'Print apps with secrets and webhooks as JSON'
complete -c pusherctl -n '__pusherctl_at app export' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at app' -a snippets -d 'Print code for clients and servers, filled in'
complete -c pusherctl -n '__pusherctl_at app snippets' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at app' -a rotate-key -d 'Give an app a new key and secret'
complete -c pusherctl -n '__pusherctl_in app rotate-key' -l overlap -x -d 'for which the old key stays valid (86400; 0: it expires now)'
complete -c pusherctl -n '__pusherctl_in app rotate-key' -l finish -d 'make no new key, only expire the old one now'
complete -c pusherctl -n '__pusherctl_at app rotate-key' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at' -a status -d 'Print the state of the server and its workers'
complete -c pusherctl -n __pusherctl_at -a cluster
complete -c pusherctl -n '__pusherctl_at cluster' -a status -d 'Print the other hosts, and the state of Redis'
complete -c pusherctl -n '__pusherctl_at cluster' -a hosts -d 'List the hosts of the cluster'
complete -c pusherctl -n '__pusherctl_at cluster' -a leave -d 'Take this host out of its cluster'
complete -c pusherctl -n '__pusherctl_at' -a top -d 'Watch the rates of workers and apps'
complete -c pusherctl -n '__pusherctl_in top' -l interval -x -d 'between two readings (2; 1 into a pipe)'
complete -c pusherctl -n '__pusherctl_at' -a stats -d 'Print counters, peaks and rates by the minute'
complete -c pusherctl -n '__pusherctl_in stats' -l minutes -x -d 'the last N minutes, a row for each (1440; an app: 60)'
complete -c pusherctl -n '__pusherctl_in stats' -l hours -x -d 'the last N hours, a row for each (24)'
complete -c pusherctl -n '__pusherctl_in stats' -l since -x -d 'from the file of statistics: 30m, 12h, 7d (24h)'
complete -c pusherctl -n '__pusherctl_in stats' -l step -x -d 'a row for each; minutes reach back 48 hours (1h)'
complete -c pusherctl -n '__pusherctl_in stats' -l csv -d 'all columns, separated by commas'
complete -c pusherctl -n '__pusherctl_at stats' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at' -a closes -d 'List the connections that ended last, and why'
complete -c pusherctl -n '__pusherctl_in closes' -l limit -x -d 'at most N (1000)'
complete -c pusherctl -n '__pusherctl_at closes' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at' -a config -d 'Print each value and where it comes from'
complete -c pusherctl -n '__pusherctl_in config' -l here -d 'the values that this command reads, not those of pusherd'
complete -c pusherctl -n __pusherctl_at -a config
complete -c pusherctl -n '__pusherctl_at config' -a set -d 'Change an option of the running server'
complete -c pusherctl -n '__pusherctl_at config' -a rewrite -d 'Write what config set has changed to the file'
complete -c pusherctl -n '__pusherctl_at' -a channels -d 'List the occupied channels'
complete -c pusherctl -n '__pusherctl_in channels' -l prefix -x -d 'only channels whose names begin with P'
complete -c pusherctl -n '__pusherctl_at channels' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at' -a channel -d 'Print subscriptions, cached event and members'
complete -c pusherctl -n '__pusherctl_in channel' -l events -x -d 'instead, the newest N events (1-1000) of the app'\''s log'
complete -c pusherctl -n '__pusherctl_at channel' -a '(__pusherctl_apps)'
complete -c pusherctl -n __pusherctl_at -a channel
complete -c pusherctl -n '__pusherctl_at channel' -a purge-cache -d 'Forget the cached event of a cache channel'
complete -c pusherctl -n '__pusherctl_at channel purge-cache' -a '(__pusherctl_apps)'
complete -c pusherctl -n __pusherctl_at -a connections
complete -c pusherctl -n '__pusherctl_at connections' -a list -d 'List the connected clients'
complete -c pusherctl -n '__pusherctl_in connections list' -l channel -x -d 'only those in this channel (needs APP)'
complete -c pusherctl -n '__pusherctl_in connections list' -l user -x -d 'only those signed in as this user (needs APP)'
complete -c pusherctl -n '__pusherctl_in connections list' -l sort -x -d 'received, sent, bytes_sent, queued, subscriptions, age, idle: the highest first; socket_id, app, worker, address, user'
complete -c pusherctl -n '__pusherctl_in connections list' -l reverse -d 'the lowest first'
complete -c pusherctl -n '__pusherctl_in connections list' -l limit -x -d 'at most N'
complete -c pusherctl -n '__pusherctl_at connections list' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at connections' -a show -d 'Print a connection and its channels'
complete -c pusherctl -n '__pusherctl_at connections' -a kill -d 'Close a connection, or all of an app or user'
complete -c pusherctl -n '__pusherctl_in connections kill' -l app -x -d 'all clients of this app'
complete -c pusherctl -n '__pusherctl_in connections kill' -l channel -x -d 'only those in this channel (needs --app)'
complete -c pusherctl -n '__pusherctl_in connections kill' -l user -x -d 'only those signed in as this user (needs --app)'
complete -c pusherctl -n '__pusherctl_in connections kill' -l reconnect -d 'close with 4200: clients reconnect; without it with 4009: they do not'
complete -c pusherctl -n '__pusherctl_in connections kill' -l yes -d 'do not ask'
complete -c pusherctl -n '__pusherctl_at' -a sessions -d 'List the resumable sessions of clients'
complete -c pusherctl -n '__pusherctl_at sessions' -a '(__pusherctl_apps)'
complete -c pusherctl -n __pusherctl_at -a sessions
complete -c pusherctl -n '__pusherctl_at sessions' -a show -d 'Print a session and what it would get now'
complete -c pusherctl -n __pusherctl_at -a users
complete -c pusherctl -n '__pusherctl_at users' -a list -d 'List the users that are signed in'
complete -c pusherctl -n '__pusherctl_at users list' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at users' -a show -d 'Print a signed-in user'\''s connections'
complete -c pusherctl -n '__pusherctl_at users show' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at users' -a kick -d 'Close a signed-in user'\''s connections'
complete -c pusherctl -n '__pusherctl_in users kick' -l reconnect -d 'close with 4200: clients reconnect; without it with 4009: they do not'
complete -c pusherctl -n '__pusherctl_at users kick' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at' -a publish -d 'Send an event to a channel'
complete -c pusherctl -n '__pusherctl_in publish' -l socket-id -x -d 'the connection that does not get the event'
complete -c pusherctl -n '__pusherctl_in publish' -l wait -x -d 'wait until the subscribers with a session have confirmed it, at most TIME: 500ms, 2s; up to 8s'
complete -c pusherctl -n '__pusherctl_at publish' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at' -a tail -d 'Print events as they are published'
complete -c pusherctl -n '__pusherctl_in tail' -l events -x -d 'only these events; commas, * and ? are allowed'
complete -c pusherctl -n '__pusherctl_in tail' -l grep -x -d 'only events whose "EVENT DATA" matches this extended regular expression'
complete -c pusherctl -n '__pusherctl_in tail' -l own -d 'also events of the server: member_added, subscription_count'
complete -c pusherctl -n '__pusherctl_in tail' -l limit -x -d 'exit after N events'
complete -c pusherctl -n '__pusherctl_in tail' -l since -x -d 'first the events of the last 30s, 5m, 2h, 1d in the app'\''s log'
complete -c pusherctl -n '__pusherctl_at tail' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at' -a subscribe -d 'Connect as a client and print events'
complete -c pusherctl -n '__pusherctl_in subscribe' -l user -x -d 'your user id in presence channels'
complete -c pusherctl -n '__pusherctl_in subscribe' -l info -x -d 'your user_info in presence channels'
complete -c pusherctl -n '__pusherctl_in subscribe' -l events -x -d 'only these events; commas, * and ? are allowed'
complete -c pusherctl -n '__pusherctl_in subscribe' -l grep -x -d 'only events whose "EVENT DATA" matches this extended regular expression'
complete -c pusherctl -n '__pusherctl_in subscribe' -l limit -x -d 'exit after N events'
complete -c pusherctl -n '__pusherctl_in subscribe' -l resume -x -d 'the id of the session: 16 to 64 characters of A-Z a-z 0-9 _ -'
complete -c pusherctl -n '__pusherctl_at subscribe' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at' -a sign -d 'Print the answer of an auth endpoint'
complete -c pusherctl -n '__pusherctl_in sign' -l user -x -d 'a sign-in, {"id":"..."}; then there is no CHANNEL'
complete -c pusherctl -n '__pusherctl_at sign' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at' -a explain-auth -d 'Explain why a request'\''s signature is refused'
complete -c pusherctl -n '__pusherctl_in explain-auth' -l at -x -d 'when it arrived, as Unix time (default: now)'
complete -c pusherctl -n '__pusherctl_in explain-auth' -F
complete -c pusherctl -n __pusherctl_at -a webhook
complete -c pusherctl -n '__pusherctl_at webhook' -a add -d 'Send the events of an app to a URL'
complete -c pusherctl -n '__pusherctl_in webhook add' -l events -x -d 'only these kinds, separated by commas'
complete -c pusherctl -n '__pusherctl_in webhook add' -l channel-prefix -x -d 'only channels whose names begin with P'
complete -c pusherctl -n '__pusherctl_in webhook add' -l channel-suffix -x -d 'only channels whose names end with S'
complete -c pusherctl -n '__pusherctl_in webhook add' -l channel-glob -x -d 'only channels that match; * and ?'
complete -c pusherctl -n '__pusherctl_in webhook add' -l header -x -d 'an additional header; may be given several times'
complete -c pusherctl -n '__pusherctl_in webhook add' -l batch -d 'several events in one request'
complete -c pusherctl -n '__pusherctl_at webhook add' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at webhook' -a list -d 'List the webhooks and their state'
complete -c pusherctl -n '__pusherctl_at webhook list' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at webhook' -a show -d 'Print a webhook'
complete -c pusherctl -n '__pusherctl_in webhook show' -l reveal -d 'also print the values of the headers'
complete -c pusherctl -n '__pusherctl_at webhook' -a set -d 'Change a webhook'
complete -c pusherctl -n '__pusherctl_in webhook set' -l header -x -d 'replaces all headers of the webhook'
complete -c pusherctl -n '__pusherctl_in webhook set' -l no-headers -d 'removes all headers of the webhook'
complete -c pusherctl -n '__pusherctl_in webhook set' -a 'name= client_events= subscription_count= max_connections= max_client_events_per_second= max_messages_per_second= max_presence_members= max_presence_member_bytes= max_user_id_length= max_watchlist_ids= max_channel_name_length= max_event_name_length= max_event_channels= max_event_bytes= max_batch_events= activity_timeout= allowed_origins= cache_ttl= max_subscriptions= max_backend_events_per_second= max_read_requests_per_second= max_timestamp_age= authorized_connections= authorized_connection_timeout= tls_only= compression= webhook_allow_private= resume= resume_bytes= resume_time= resume_client_events= presence_grace='
complete -c pusherctl -n '__pusherctl_at webhook' -a remove -d 'Remove a webhook and its waiting requests'
complete -c pusherctl -n '__pusherctl_at webhook' -a test -d 'Send a test event and wait for the answer'
complete -c pusherctl -n '__pusherctl_at webhook' -a deliveries -d 'List waiting, dead and delivered requests'
complete -c pusherctl -n '__pusherctl_in webhook deliveries' -l state -x -d 'only these'
complete -c pusherctl -n '__pusherctl_at webhook' -a retry -d 'Send dead requests again, with the same id'
complete -c pusherctl -n '__pusherctl_at webhook' -a purge -d 'Delete dead requests'
complete -c pusherctl -n '__pusherctl_in webhook purge' -l waiting -d 'also waiting requests'
complete -c pusherctl -n '__pusherctl_at' -a verify-webhook -d 'Check the signature of a webhook'\''s body'
complete -c pusherctl -n '__pusherctl_at verify-webhook' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_in verify-webhook' -F
complete -c pusherctl -n '__pusherctl_at' -a doctor -d 'Explain why events do not arrive'
complete -c pusherctl -n '__pusherctl_in doctor' -l channel -x -d 'check whether events of this channel arrive'
complete -c pusherctl -n '__pusherctl_in doctor' -l url -x -d 'also check the public address: https://ws.example.com'
complete -c pusherctl -n '__pusherctl_at doctor' -a '(__pusherctl_apps)'
complete -c pusherctl -n '__pusherctl_at' -a reload -d 'Read the configuration again'
complete -c pusherctl -n '__pusherctl_in reload' -l wait -d 'return when every process uses it (the default)'
complete -c pusherctl -n '__pusherctl_at' -a drain -d 'Close all clients over time, and stop pusherd'
complete -c pusherctl -n '__pusherctl_in drain' -l time -x -d 'the time for it (default: the option drain_time)'
complete -c pusherctl -n '__pusherctl_in drain' -l wait -d 'return when pusherd has ended'
complete -c pusherctl -n __pusherctl_at -a worker
complete -c pusherctl -n '__pusherctl_at worker' -a replace -d 'Replace the process of a worker'
complete -c pusherctl -n '__pusherctl_at' -a upgrade -d 'Replace the running program by another one'
complete -c pusherctl -n '__pusherctl_in upgrade' -l binary -x -d 'the new program (default: that of the running pusherd)'
complete -c pusherctl -n '__pusherctl_at' -a log-level -d 'Change the level of the log'
complete -c pusherctl -n '__pusherctl_at' -a console -d 'Print a URL that opens the console'
complete -c pusherctl -n '__pusherctl_in console' -l app -x -d 'only this app (default: the whole server)'
complete -c pusherctl -n '__pusherctl_in console' -l read-only -d 'a session that can change nothing'
complete -c pusherctl -n '__pusherctl_in console' -l ttl -x -d 'in which the URL can be opened once (60; at most 3600)'
complete -c pusherctl -n '__pusherctl_at' -a bench -d 'Put load on a server and measure'
complete -c pusherctl -n '__pusherctl_in bench' -l host -x -d 'the server'\''s address (127.0.0.1)'
complete -c pusherctl -n '__pusherctl_in bench' -l port -x -d 'its port (that of the configuration; 6001)'
complete -c pusherctl -n '__pusherctl_in bench' -l tls -d 'use TLS; any certificate is accepted'
complete -c pusherctl -n '__pusherctl_in bench' -l app -x -d 'an app of the local database (demo)'
complete -c pusherctl -n '__pusherctl_in bench' -l app-id -x -d 'for another server: the app'\''s id,'
complete -c pusherctl -n '__pusherctl_in bench' -l key -x -d 'its key,'
complete -c pusherctl -n '__pusherctl_in bench' -l secret-from -r -F -d 'and the file that holds its secret'
complete -c pusherctl -n '__pusherctl_in bench' -l clients -x -d 'WebSocket connections (1000 or more)'
complete -c pusherctl -n '__pusherctl_in bench' -l channels -x -d 'channels of all clients together (1 or more)'
complete -c pusherctl -n '__pusherctl_in bench' -l subscriptions -x -d 'channels of one client (1)'
complete -c pusherctl -n '__pusherctl_in bench' -l publishers -x -d 'HTTP connections that publish (1)'
complete -c pusherctl -n '__pusherctl_in bench' -l in-flight -x -d 'closed loop: publishes under way; of each client for client-events, of each channel for presence (1)'
complete -c pusherctl -n '__pusherctl_in bench' -l rate -x -d 'open loop: publishes per second'
complete -c pusherctl -n '__pusherctl_in bench' -l batch -x -d 'events in one request (1)'
complete -c pusherctl -n '__pusherctl_in bench' -l size -x -d 'of an event'\''s data (100)'
complete -c pusherctl -n '__pusherctl_in bench' -l at-once -x -d 'connects or joins under way (400)'
complete -c pusherctl -n '__pusherctl_in bench' -l slow -x -d 'clients that stop reading (slow: 100)'
complete -c pusherctl -n '__pusherctl_in bench' -l resume -d 'clients name sessions (the app needs resume=on)'
complete -c pusherctl -n '__pusherctl_in bench' -l sources -x -d 'source addresses 127.0.0.1, .2, ..., for a server on this machine (8 for connect, stampede)'
complete -c pusherctl -n '__pusherctl_in bench' -l processes -x -d 'of the load generator (1)'
complete -c pusherctl -n '__pusherctl_in bench' -l seconds -x -d 'to measure (5)'
complete -c pusherctl -n '__pusherctl_in bench' -l pid -x -d 'the server'\''s first process: adds CPU and memory'
