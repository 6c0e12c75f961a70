// A Mercure hub as a single binary would run it, with its history in Bolt, for the benchmark that puts it beside ours.
//
//	mercure -address 127.0.0.1:PORT -history FILE
//
// Subscribers need no token. Updates come many in one request and are published in this process, one after the other:
// the protocol has a request with a signed token for each, which would cost the hub more.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"

	"github.com/dunglas/mercure"
)

func main() {
	address := flag.String("address", "", "where to listen")
	history := flag.String("history", "", "the file that Bolt keeps the history in")
	flag.Parse()
	hub, err := newHub(*history)
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("GET /.well-known/mercure", hub)
	http.HandleFunc("POST /publish", func(response http.ResponseWriter, request *http.Request) {
		if err := publish(hub, request); err != nil {
			http.Error(response, err.Error(), http.StatusInternalServerError)
		}
	})
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServe(*address, nil))
}

// newHub has the defaults of a hub, but for what would cost time or cut a client off that only waits for its turn.
func newHub(history string) (*mercure.Hub, error) {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	subscribers := mercure.NewSubscriberList(mercure.DefaultSubscriberListCacheSize)
	// An update is on the disk before the next one is taken: Bolt syncs each transaction, and the transport has no
	// setting for that. A history of size 0 is never shortened.
	transport, err := mercure.NewBoltTransport(
		subscribers, logger, history, "", 0, mercure.BoltDefaultCleanupFrequency,
	)
	if err != nil {
		return nil, err
	}
	return mercure.NewHub(
		context.Background(),
		mercure.WithTransport(transport),
		mercure.WithLogger(logger),
		mercure.WithAnonymous(),
		mercure.WithHeartbeat(0),       // a comment would be counted as a part of the events
		mercure.WithWriteTimeout(0),    // 600 s by default
		mercure.WithDispatchTimeout(0), // 5 s by default
	)
}

// publish takes a request's updates, a line each: id, event type and data, parted by tabs.
func publish(hub *mercure.Hub, request *http.Request) error {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return err
	}
	topics := request.URL.Query()["topic"]
	for line := range bytes.Lines(body) {
		parts := bytes.SplitN(bytes.TrimSuffix(line, []byte("\n")), []byte("\t"), 3)
		if len(parts) != 3 {
			return fmt.Errorf("a line has %d parts of 3: %.100q", len(parts), line)
		}
		event := mercure.Event{ID: string(parts[0]), Type: string(parts[1]), Data: string(parts[2])}
		if err := hub.Publish(request.Context(), &mercure.Update{Topics: topics, Event: event}); err != nil {
			return err
		}
	}
	return nil
}
