// Package queue is the two ends of the Asynq queue: the producer, which turns changes of orders into committed
// deliveries and enqueues them, and the worker, which attempts them. Between the two lies only a task of ids.
//
//	Producer.Change -- load, plan, commit --> store -- enqueue --> Asynq --> Worker --> Deliverer.Deliver
//	                                            ^                                            |
//	                                            |                            claim, render, sign, POST, judge, record
//	Sweeper: what is overdue in the store <-----+--------------------------------------------+
//	is enqueued again, under a new generation
//
// A delivery is enqueued only after it is committed, so a crash between the two loses nothing: it becomes overdue and
// the sweep enqueues it. A task names a generation of its delivery; enqueuing again raises the generation, and tasks of
// older ones drop themselves, whatever Asynq still does with them.
//
// Asynq is left as it is; what it lacks is mended in the Redis client that its servers have, by hooks. Outermost first:
//
//	Reviver     a task's end is written also when its context has ended meanwhile
//	Bell        a dequeue waits while all queues are empty, and no longer; one that is refused, for a moment
//	Forecast    a forwarder asks only when something may be due
//	Fetcher     a dequeue brings several tasks while there are plenty
//	batch.Hook  scripts that many call at once travel together; a dequeue that waits outside of it keeps nobody waiting
package queue
