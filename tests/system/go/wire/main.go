// SPDX-License-Identifier: MIT
//
// wire gorilla|coder URL: a WebSocket client with compression.  Each line of
// standard input is a message to the server, each message from it is a line of
// output.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"

	coder "github.com/coder/websocket"
	"github.com/gorilla/websocket"
)

type socket interface {
	send(text []byte) error
	next() ([]byte, error)
}

type gorillaSocket struct{ *websocket.Conn }

func (s gorillaSocket) send(text []byte) error {
	return s.WriteMessage(websocket.TextMessage, text)
}

func (s gorillaSocket) next() ([]byte, error) {
	_, text, err := s.ReadMessage()
	return text, err
}

type coderSocket struct{ *coder.Conn }

func (s coderSocket) send(text []byte) error {
	return s.Write(context.Background(), coder.MessageText, text)
}

func (s coderSocket) next() ([]byte, error) {
	_, text, err := s.Read(context.Background())
	return text, err
}

func open(library, url string) (socket, error) {
	if library == "gorilla" {
		d := websocket.Dialer{EnableCompression: true}
		c, _, err := d.Dial(url, nil)
		return gorillaSocket{c}, err
	}
	c, _, err := coder.Dial(context.Background(), url, &coder.DialOptions{
		CompressionMode:      coder.CompressionContextTakeover,
		CompressionThreshold: 1,
	})
	if err == nil {
		c.SetReadLimit(1 << 20)
	}
	return coderSocket{c}, err
}

func main() {
	s, err := open(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		in := bufio.NewScanner(os.Stdin)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			if s.send(in.Bytes()) != nil {
				os.Exit(1)
			}
		}
		os.Exit(0)
	}()
	for {
		text, err := s.next()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("%s\n", text)
	}
}
