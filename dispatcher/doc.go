// Package dispatcher is the domain of Tidings: its nouns (change, notification, delivery, event) and the pure rules
// over them (plan, verdict, policy). It does no I/O and imports only package scope and the standard library; the
// packages around it bring time, Redis and HTTP.
//
// A delivery lives through these states. Waiting is not stored: it is an open delivery that is not the head of its lane.
//
//	             +--------- lane head settles ---------+
//	             v                                     |
//	plan --> pending --> attempt --+--> delivered   waiting --> superseded (ordering "latest")
//	             ^                 |                   |
//	             |                 +--> failed         +-----> cancelled  (notification or order removed)
//	             |                 +--> retrying --+   +-----> expired    (expiresAfter passed)
//	             |                                 |
//	             +------ manual retry -------------+--> attempt ...
package dispatcher
