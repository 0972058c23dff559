package queue

import (
	"context"
	"errors"
	"time"

	"github.com/hibiken/asynq"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// Enqueue hands tasks to Asynq. A task that is there already is the one that was meant. What cannot be enqueued stays
// in the store's due index, and the sweep enqueues it.
func (p *Producer) Enqueue(ctx context.Context, tasks ...dispatcher.Task) {
	if len(tasks) == 0 {
		return
	}
	queues := make([]string, len(tasks))
	for i, t := range tasks {
		queues[i] = p.fair.queue(t.Merchant)
		p.enqueue(ctx, t, queues[i])
	}
	p.ringer.ring(queues...)
}

// enqueueAt enqueues a delivery that has no task in Asynq yet, to be run later. When that has come already (it took long to
// record what went before), Asynq makes it pending at once, and somebody must look.
func (p *Producer) enqueueAt(ctx context.Context, t dispatcher.Task, at time.Time) {
	queue, at := p.fair.queue(t.Merchant), wholeSecond(at)
	p.enqueue(ctx, t, queue, asynq.ProcessAt(at))
	if !at.After(time.Now()) {
		p.ringer.ring(queue)
	}
}

// enqueueAhead enqueues deliveries that the keeper let out: they have waited already.
func (p *Producer) enqueueAhead(ctx context.Context, tasks ...dispatcher.Task) {
	for _, t := range tasks {
		p.enqueue(ctx, t, Name)
		p.ringer.ring(Name)
	}
}

// enqueueFirst enqueues what a worker that died had begun, before all that waits: it has had its turn, and a backlog must not
// keep it for minutes. Whoever dies on the way leaves it behind that.
func (p *Producer) enqueueFirst(ctx context.Context, tasks ...dispatcher.Task) {
	for _, t := range tasks {
		p.enqueue(ctx, t, Name)
		id := taskID(t.DeliveryID, t.Generation)
		if err := firstScript.Run(ctx, p.rdb, []string{keyOf(Name, "pending"), keyOf(Name, "t:"+id)}, id).Err(); err != nil {
			p.log.WarnContext(ctx, "delivery.not_first", "delivery", t.DeliveryID, "error", err, "then", "it waits like others")
		}
		p.ringer.ring(Name)
	}
}

func (p *Producer) enqueue(ctx context.Context, t dispatcher.Task, queue string, more ...asynq.Option) {
	task, err := newTask(t, queue)
	for try := 0; err == nil && try < enqueueTries; try++ {
		// An enqueue that returned an error may have happened all the same: tried again it conflicts, which is success.
		if _, err = p.client.EnqueueContext(ctx, task, more...); err == nil || errors.Is(err, asynq.ErrTaskIDConflict) {
			return
		}
	}
	p.metrics.enqueueFailed()
	p.log.WarnContext(ctx, "delivery.enqueue_failed", "delivery", t.DeliveryID, "generation", t.Generation,
		"error", err, "then", "left to the sweep")
}

// EnqueueNext enqueues the delivery that became the head of its lane, if any.
func (p *Producer) EnqueueNext(ctx context.Context, moved store.Moved) {
	if moved.Next == "" {
		return
	}
	task, err := moved.NextTask()
	if err != nil {
		p.log.WarnContext(ctx, "delivery.enqueue_failed", "delivery", moved.Next, "error", err, "then", "left to the sweep")
		return
	}
	p.Enqueue(ctx, task)
}

func (p *Producer) deleteTask(id string) {
	for _, queue := range []string{Name, BulkName} {
		_ = p.inspector.DeleteTask(queue, id)
	}
}

// announceQueues tells Asynq's inspector and Asynqmon of the queues again. Asynq's client does so once in its life only,
// which is not enough when Asynq's keyspace was lost meanwhile.
func (p *Producer) announceQueues(ctx context.Context) error {
	return p.rdb.SAdd(ctx, "asynq:queues", Name, BulkName).Err()
}
