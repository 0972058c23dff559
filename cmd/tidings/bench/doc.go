// Package bench measures Tidings on one machine: how quick it is (Speed), and whether one bad target or one busy
// merchant slows the others down (Isolation).
//
// Nothing is mocked. Each measurement has a stand of its own, made of processes that end with it:
//
//	bench (the adapters: PUTs on time, whatever the answers take)
//	  |  HTTP
//	tidings serve --role all  <->  redis-server (append-only file, fsync every second)
//	  |  HTTP
//	receivers (many ports of 127.0.0.1; write down when what arrived)
//
// Every change carries the time at which it was due to be PUT, and the receiver subtracts that from its own clock, which
// is the same one: a loader that falls behind makes the latencies worse, not better (no coordinated omission).
package bench
