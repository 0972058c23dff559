package queue

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"

	"github.com/tidings/tidings/dispatcher"
)

const (
	// Name is the Asynq queue that workers prefer; BulkName holds what a merchant owes beyond its share of that.
	Name     = "deliveries"
	BulkName = "deliveries-bulk"
	// TypeDeliver is the type of its tasks.
	TypeDeliver = "tidings:deliver"

	// taskTimeout only keeps Asynq from its default of 30 minutes; an attempt has its own, much shorter deadline.
	taskTimeout = 10 * time.Minute
	// taskMaxRetry never ends a delivery: the delivery's own policy does, and says so with asynq.SkipRetry.
	taskMaxRetry = 1000
)

// payload is what a task carries: ids only. Asynq copies it into its heartbeats, and operators see it in Asynqmon.
type payload struct {
	DeliveryID     string `json:"delivery"`
	Generation     int    `json:"generation"`
	Merchant       string `json:"merchant"`
	OrderID        string `json:"order"`
	NotificationID string `json:"notification"`
	ChangeID       string `json:"change"`
	InLane         bool   `json:"inLane"`
}

// taskID is unique for a generation of a delivery. It holds no dash: Asynqmon's lists cut ids there.
func taskID(deliveryID string, generation int) string {
	return deliveryID + ":" + strconv.Itoa(generation)
}

// queueNames lists both queues, with how often each is asked first.
var queueNames = map[string]int{Name: 8, BulkName: 2}

func newTask(t dispatcher.Task, queue string) (*asynq.Task, error) {
	body, err := json.Marshal(payload(t))
	if err != nil {
		return nil, err
	}
	return asynq.NewTask(TypeDeliver, body, asynq.TaskID(taskID(t.DeliveryID, t.Generation)), asynq.Queue(queue),
		asynq.Timeout(taskTimeout), asynq.MaxRetry(taskMaxRetry)), nil
}

func parseTask(body []byte) (dispatcher.Task, error) {
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return dispatcher.Task{}, fmt.Errorf("task payload: %w", err)
	}
	if _, err := dispatcher.DeliveryShard(p.DeliveryID); err != nil {
		return dispatcher.Task{}, fmt.Errorf("task payload: %w", err)
	}
	return dispatcher.Task(p), nil
}
