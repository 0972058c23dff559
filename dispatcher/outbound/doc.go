// Package outbound is the only door through which requests leave Tidings. It guards the address at dial time, keeps one
// deadline over the whole exchange, bounds what is read, and tells the outcome of a request as a value.
//
// What goes out is written by strangers: anybody who may register a notification chooses the URL. So the door refuses
// addresses that are special (see guard.go), ignores proxies from the environment, never follows a redirect, and reads
// no more than it was made to hold.
//
// One Do is at most one request at the receiver. net/http by itself sends a request again when a kept-alive connection
// turns out dead and the request looks replayable; here it never does (see Do). To send again is for the queue to
// decide, which records every attempt.
//
// net/http writes remarks on what receivers send to the standard log, as many as a receiver likes and with bytes of its
// choice. A process that uses this package should silence that log.
package outbound
