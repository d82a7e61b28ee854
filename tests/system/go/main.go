// SPDX-License-Identifier: MIT
//
// The official Go library, unmodified, at the end of a pipe: the first line
// says which app and server, each further line is one call as a JSON object,
// answered with one line: {"ok": ...} or {"error": ...}.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/pusher/pusher-http-go/v5"
)

type conf struct {
	ID, Key, Secret, Master string
	Port                    int
}

type event struct {
	Channel, Name string
	Data          interface{}
	SocketID      *string `json:"socket_id"`
}

type call struct {
	Do, Event, Channel, Prefix, Key, Signature, Body string
	Channels, Info                                   []string
	Data                                             interface{}
	Events                                           []event
	SocketID                                         string             `json:"socket_id"`
	Member                                           *pusher.MemberData `json:"member"`
	User                                             json.RawMessage    `json:"user"`
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func trigger(c *pusher.Client, m *call) (interface{}, error) {
	switch {
	case m.SocketID != "":
		params := pusher.TriggerParams{SocketID: &m.SocketID}
		return c.TriggerMultiWithParams(m.Channels, m.Event, m.Data, params)
	case len(m.Channels) > 1:
		return nil, c.TriggerMulti(m.Channels, m.Event, m.Data)
	}
	return nil, c.Trigger(m.Channels[0], m.Event, m.Data)
}

func batch(c *pusher.Client, m *call) (interface{}, error) {
	var list []pusher.Event
	for _, e := range m.Events {
		list = append(list, pusher.Event{Channel: e.Channel, Name: e.Name,
			Data: e.Data, SocketID: e.SocketID})
	}
	return c.TriggerBatch(list)
}

func auth(c *pusher.Client, m *call) (interface{}, error) {
	form := url.Values{"socket_id": {m.SocketID},
		"channel_name": {m.Channel}}.Encode()
	if m.Member == nil {
		got, err := c.AuthorizePrivateChannel([]byte(form))
		return json.RawMessage(got), err
	}
	got, err := c.AuthorizePresenceChannel([]byte(form), *m.Member)
	return json.RawMessage(got), err
}

func userAuth(c *pusher.Client, m *call) (interface{}, error) {
	var user map[string]interface{}
	if err := json.Unmarshal(m.User, &user); err != nil {
		return nil, err
	}
	form := url.Values{"socket_id": {m.SocketID}}.Encode()
	got, err := c.AuthenticateUser([]byte(form), user)
	return json.RawMessage(got), err
}

func do(c *pusher.Client, m *call) (interface{}, error) {
	info := optional(strings.Join(m.Info, ","))
	switch m.Do {
	case "trigger":
		return trigger(c, m)
	case "batch":
		return batch(c, m)
	case "channels":
		return c.Channels(pusher.ChannelsParams{
			FilterByPrefix: optional(m.Prefix), Info: info})
	case "channel":
		return c.Channel(m.Channel, pusher.ChannelParams{Info: info})
	case "users":
		return c.GetChannelUsers(m.Channel)
	case "auth":
		return auth(c, m)
	case "user_auth":
		return userAuth(c, m)
	case "webhook":
		header := http.Header{}
		header.Set("X-Pusher-Key", m.Key)
		header.Set("X-Pusher-Signature", m.Signature)
		return c.Webhook(header, []byte(m.Body))
	case "send_to_user":
		var user string
		if err := json.Unmarshal(m.User, &user); err != nil {
			return nil, err
		}
		return nil, c.SendToUser(user, m.Event, m.Data)
	}
	return nil, errors.New("the Go library has no " + m.Do)
}

func answer(c *pusher.Client, line []byte) interface{} {
	var m call
	err := json.Unmarshal(line, &m)
	var ok interface{}
	if err == nil {
		ok, err = do(c, &m)
	}
	if err != nil {
		return map[string]string{"error": err.Error()}
	}
	return map[string]interface{}{"ok": ok}
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<22)
	in.Scan()
	var k conf
	if err := json.Unmarshal(in.Bytes(), &k); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	c := &pusher.Client{AppID: k.ID, Key: k.Key, Secret: k.Secret,
		Host:                      fmt.Sprintf("127.0.0.1:%d", k.Port),
		EncryptionMasterKeyBase64: k.Master}
	for in.Scan() {
		text, err := json.Marshal(answer(c, in.Bytes()))
		if err != nil {
			text = []byte(`{"error":"cannot be written as JSON"}`)
		}
		fmt.Println(string(text))
	}
}
