// SPDX-License-Identifier: MIT
//
// Wire URL: Java-WebSocket with its compression.  Each line of standard input
// is a message to the server, each message from it is a line of output.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.util.Collections;
import org.java_websocket.client.WebSocketClient;
import org.java_websocket.drafts.Draft_6455;
import org.java_websocket.extensions.permessage_deflate.PerMessageDeflateExtension;
import org.java_websocket.handshake.ServerHandshake;

public class Wire extends WebSocketClient {
	private final PrintStream out = new PrintStream(System.out, true, "UTF-8");

	Wire(URI uri) throws Exception {
		super(uri, new Draft_6455(Collections.singletonList(
			new PerMessageDeflateExtension())));
	}

	public void onOpen(ServerHandshake answer) { }

	public void onMessage(String text) {
		out.print(text + "\n");
		out.flush();
	}

	public void onClose(int code, String reason, boolean remote) {
		System.err.println(code + " " + reason);
		System.exit(1);
	}

	public void onError(Exception e) {
		e.printStackTrace();
	}

	public static void main(String[] args) throws Exception {
		Wire wire = new Wire(new URI(args[0]));
		if (!wire.connectBlocking())
			System.exit(1);
		BufferedReader in = new BufferedReader(
			new InputStreamReader(System.in, "UTF-8"));
		for (String line; (line = in.readLine()) != null;)
			wire.send(line);
		System.exit(0);
	}
}
