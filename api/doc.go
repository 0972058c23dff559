// Package api is the door: HTTP in, changes and queries out. Every answer that is not a success is an RFC 9457 problem
// with a code; input at fault is answered with every fault at once, and nothing of it is kept.
//
// A file holds the routes of one noun. The way of a request: api.go (routes, limits) -> auth.go (token, merchant, role)
// -> the noun's file -> decode.go (shape) -> dispatcher and store.
package api
