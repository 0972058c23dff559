// Package scope says which changes of an order fire a notification.
//
// It is the leaf of Tidings: pure, without I/O. It holds the JSON value an order
// is kept as ([Value], read by [Parse]), what "changed" means ([Equal], [Diff]),
// how a patch is applied ([Merge]) and the rule itself ([ParseScope], [Scope.Match]).
//
// # An order is kept as written
//
// A [Value] remembers the text it was read from: numbers keep their digits
// (93.09000000 stays so), strings keep their escapes, members keep their place.
// Only white space between tokens is dropped on the way out.
//
// # Changed means changed by meaning
//
//	member order           {"a":1,"b":2}        is  {"b":2,"a":1}
//	spelling of a number   10, 10.0, 1e1        are one number; so are 0 and -0
//	spelling of a string   "é", "\u00e9"        are one string
//	nothing                absent, null, [], {} are one nothing,
//	                       and so is an object all of whose members are nothing
//
// An array is one value: it changed or it did not, and no pointer leads into it.
//
// # Two forms of a scope
//
//	{"state":["completed"],"payment":true}            alternatives, see [Scope.Match] for their keys
//	"/state/currentStatus" + {"const":"completed"}    a JSON Pointer (RFC 6901) and a JSON Schema (2020-12)
//
// All values of this package are immutable and safe for use by many goroutines.
package scope
