package main

import (
	"log/slog"
	"net/http"
	"time"
)

// patience is how long the server waits for a client, who may be slow or mean.
type patience struct {
	header time.Duration // until the header has come
	read   time.Duration // until the body has come, too
	write  time.Duration // until the answer has gone, from the end of the header
	idle   time.Duration // between two requests of a connection
}

var usualPatience = patience{header: 10 * time.Second, read: 30 * time.Second, write: 60 * time.Second, idle: 2 * time.Minute}

// maxHeaderBytes bounds the request line, with its URL, and all headers together; more is answered 431.
const maxHeaderBytes = 64 << 10

func newServer(handler http.Handler, log *slog.Logger, p patience) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: p.header, ReadTimeout: p.read, WriteTimeout: p.write, IdleTimeout: p.idle,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
