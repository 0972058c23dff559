// Package batch makes the round trips to Redis that a delivery takes cost little. Most of what a script costs is not the
// script: it is a write and a read here, a read and a write there, and waking up on both sides. The Hook gathers the
// scripts that many goroutines call at the same time and sends them as one pipeline:
//
//	caller --\                    +--> flight: one pipeline over the carrier --> Redis
//	caller ---+--> waiting calls -+
//	caller --/                    +--> flight: another, meanwhile
//
// Nobody waits for company. A call goes at once while a flight is free; calls gather only because others are on their
// way, and so the busier it is, the less each costs. There is no timer, and nothing runs while nobody calls.
//
// What a caller can rely on is what go-redis gives him for a single command:
//
//   - His context ends his waiting at once, also when Redis hangs. (Who has none that ends goes by himself when nobody
//     else is about to: there is nothing to look at meanwhile.) The command may have run then, as with any answer
//     that is lost; it does not run if it had not gone yet. A context ends nobody else's waiting.
//   - Every answer and every error of Redis is that of the one command; NOSCRIPT, too, so that redis.Script.Run loads
//     the script as usual.
//   - A command that got no answer (the connection broke, the time was up) is sent again by its own caller through his
//     own client, and therefore as often as that client repeats. The carrier itself repeats nothing: go-redis repeats
//     pipelines whole, also those commands that had been answered, and a dequeue that is answered twice loses a task.
//
// Arguments must not be changed after a call, not even by a caller who has given up: they may be on their way.
//
// Why not go-redis' own AutoPipeliner? It costs as little (BenchmarkScripts), but it is experimental, and with a Redis that
// takes connections and does not answer, a context of 500 ms returned after 40 s (v9.23.0): the API would hang for as long.
package batch
