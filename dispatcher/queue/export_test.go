package queue

// EnqueueAt is for tests of when it rings.
var EnqueueAt = (*Producer).enqueueAt

// UntilAudit is for tests of when the first one is.
var UntilAudit = (*Sweeper).untilAudit

// Rung are the queues that a producer, which does not run, has still to tell others of.
func Rung(p *Producer) []string { return p.ringer.queues }

// HasPlace is for tests of where a task stands.
var HasPlace = (*Producer).hasPlace
