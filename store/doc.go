// Package store is the memory of Tidings: what was accepted, what is owed, what was attempted. The store is the truth;
// Asynq beside it is the engine, and whatever Asynq loses is enqueued again from here.
//
// All that belongs to one order lives in one shard, td{s<n>}, which is one slot of a Redis Cluster, so that one script
// commits a change or records an attempt whole or not at all:
//
//	o:<merchant>:<order>        hash    the order: document, version, channel, the tokens of its last writes; of an erased one its version
//	n:<merchant>:<order>        hash    its notifications, secrets sealed
//	h:<merchant>:<order>        zset    its deliveries (16 bytes of their ids) by time
//	c:<change>                  hash    snapshot of the order as of a change that is owed several times; count of open deliveries
//	d:<delivery>                string  the delivery, the snapshot of a change that is owed once, and its Events: see record.go
//	l:<merchant>:<order>/<n>    list    lane: open deliveries of one notification, in the order of the changes
//	due                         zset    open delivery -> when it must have moved, else the sweep looks after it
//	x:<merchant>:<kind>:<value> zset    index of Events: their ids (16 bytes); in that of all followed by the delivery's (16); score 0
//	i:<merchant>:<hash>         string  answer kept for an Idempotency-Key
//	g:<merchant>:<channel>      hash    adapter configurations, sealed
//	k:<merchant>:               hash    signing keys of the merchant, sealed
//	erase                       set     deleted orders whose payloads are still to be erased
//	h~<erasure>                 zset    the deliveries of one of these
//
// What stands between the workers and a target, in the slot of the target (td{https://host:port}) or of all gates:
//
//	td{gates}                   hash    target -> its gate, unless that is closed; :version grows with every change, and who
//	                                    made one says so on the channel td:gates
//	td{gates}:keeper            string  the process that looks after the gates
//	td{<target>}:line           zset    deliveries parked for the target -> their place
//	td{<target>}:turns          hash    merchant -> place of its last, so that merchants take turns
//	td{<target>}:passes         zset    deliveries let out -> when their place is free at the latest
//	td{stats}:<minute>          hash    what attempts told of their targets, for people; :inflight:<process>, :workers
//
// The line only finds parked deliveries quickly; that a delivery is parked is said by its record, and the sweep puts
// back into the line what a crash left out of it.
//
// Three keys belong to no shard: td:audit and td:audit:lock, the last audit of the invariant and who makes the next;
// td:seal, a hash: which sealing keys (by their ids) may have sealed something here, each with a text that it sealed. Beside
// that {td:seal}:format says how records are kept.
//
// The life of one change in the store:
//
//	Load -> (plan) -> Commit --------> Claim -> (POST) -> Record --------> Events, Event
//	                   record with      lease ^           Event, indexes,
//	                   snapshot, lane,        |           lane's next, due
//	                   due                    |
//	                                          +--- Take <---+ which it may claim at once
package store
