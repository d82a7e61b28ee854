// SPDX-License-Identifier: MIT
//
// PusherClient PORT KEY CHANNEL: pusher-java-client, which comes back by
// itself.  Each event "e" and each word about resume is a line of output, as
// it came, until standard input ends.

import com.pusher.client.Pusher;
import com.pusher.client.PusherOptions;
import com.pusher.client.channel.Channel;
import com.pusher.client.channel.SubscriptionEventListener;
import java.io.PrintStream;

public class PusherClient {
	public static void main(String[] args) throws Exception {
		PrintStream out = new PrintStream(System.out, true, "UTF-8");
		Pusher pusher = new Pusher(args[1], new PusherOptions()
			.setHost("127.0.0.1").setWsPort(Integer.parseInt(args[0]))
			.setUseTLS(false).setMaxReconnectGapInSeconds(1));
		Channel channel = pusher.subscribe(args[2]);
		SubscriptionEventListener print = (event) ->
			out.print(event + "\n");

		channel.bind("e", print);
		channel.bind("pusher:resume", print);
		pusher.connect();
		while (System.in.read() != -1)
			continue;
		System.exit(0);
	}
}
