package store

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/tidings/tidings/dispatcher"
)

// Every key of the store is built here. See doc.go for what each holds.

func shardKey(shard int, rest ...string) string {
	var room [128]byte // for most: only the text of the key is allocated
	key := append(strconv.AppendInt(append(room[:0], "td{s"...), int64(shard), 10), "}:"...)
	for _, part := range rest {
		key = append(key, part...)
	}
	return string(key)
}

func orderScoped(kind string, ref dispatcher.OrderRef) string {
	return shardKey(ref.Shard(), kind, ":", ref.Merchant, ":", ref.OrderID)
}

// splitKey reads the kind of a key, and whom it belongs to: orderScoped backwards. What follows the merchant is the id of
// the order only where the kind says so.
func splitKey(key string) (kind byte, ref dispatcher.OrderRef, ok bool) {
	_, rest, ok := strings.Cut(key, "}:")
	if !ok || len(rest) < 2 || rest[1] != ':' {
		return 0, ref, false
	}
	ref.Merchant, ref.OrderID, ok = strings.Cut(rest[2:], ":") // no merchant's name holds a colon
	return rest[0], ref, ok
}

func orderKey(ref dispatcher.OrderRef) string         { return orderScoped("o", ref) }
func notificationsKey(ref dispatcher.OrderRef) string { return orderScoped("n", ref) }
func historyKey(ref dispatcher.OrderRef) string       { return orderScoped("h", ref) }

func erasedHistoryKey(ref dispatcher.OrderRef, erasure string) string {
	return shardKey(ref.Shard(), "h~", erasure)
}

func laneKey(ref dispatcher.OrderRef, notificationID string) string {
	return shardKey(ref.Shard(), "l:", ref.Merchant, ":", ref.OrderID, "/", notificationID) // no id holds a slash
}

func snapshotKey(shard int, changeID string) string   { return shardKey(shard, "c:", changeID) }
func deliveryKey(shard int, deliveryID string) string { return shardKey(shard, "d:", deliveryID) }
func dueKey(shard int) string                         { return shardKey(shard, "due") }
func eraseKey(shard int) string                       { return shardKey(shard, "erase") }

func configurationsKey(merchant, channel string) string {
	return orderScoped("g", dispatcher.OrderRef{Merchant: merchant, OrderID: channel})
}

func idempotencyKey(merchant, hash string) string {
	return orderScoped("i", dispatcher.OrderRef{Merchant: merchant, OrderID: hash})
}

func signingKeysKey(merchant string) string {
	return orderScoped("k", dispatcher.OrderRef{Merchant: merchant})
}

// The last audit, who makes the next, and the sealing keys in use: of the whole store, in no shard.
const (
	auditKey     = "td:audit"
	auditLockKey = "td:audit:lock"
	sealKey      = "td:seal"
	formatKey    = "{td:seal}:format" // in the slot of td:seal
)

// What belongs to targets is in slots of its own: the gates of all in one, the line and the passes of each in its own.
const (
	gatesKey        = "td{gates}"
	gatesVersionKey = "td{gates}:version"
	keeperKey       = "td{gates}:keeper"
	workersKey      = "td{stats}:workers"
)

func targetKey(target, kind string) string { return "td{" + target + "}:" + kind }

// Kinds of indexes over Events. An Event is in one index of each kind that applies to it.
const (
	indexAll          = "a"
	indexOrder        = "o"
	indexNotification = "n"
	indexScope        = "s"
	indexAdapter      = "d"
	indexReference    = "r"
	indexChannel      = "c"
	indexFailed       = "f"
)

func indexKey(shard int, merchant, kind, value string) string {
	return shardKey(shard, "x:", merchant, ":", kind, ":", value)
}

// addIndexKeys adds the indexes that an attempt's Event enters.
func addIndexKeys(call *call, shard int, d dispatcher.Delivery, outcome dispatcher.Outcome) {
	add := func(kind, value string) { call.addKeys(indexKey(shard, d.Merchant, kind, value)) }
	add(indexAll, "")
	add(indexOrder, d.OrderID)
	add(indexNotification, d.NotificationID)
	for _, key := range d.Scope {
		add(indexScope, key)
	}
	if d.AdapterID != "" {
		add(indexAdapter, d.AdapterID)
	}
	if d.Reference != "" {
		add(indexReference, d.Reference)
	}
	if d.Channel != "" {
		add(indexChannel, d.Channel)
	}
	if outcome == dispatcher.Failed {
		add(indexFailed, "")
	}
}

// indexMember is what stands for an Event in the index of all: it sorts by the Event's id and names its delivery. In the
// other indexes stands the id alone, which leads to the index of all: that halves them, for one more look of a query.
func indexMember(event dispatcher.EventID, deliveryID string) (string, error) {
	raw, err := hex.DecodeString(deliveryID)
	if err != nil {
		return "", err
	}
	return string(event[:]) + string(raw), nil
}

// historyMember is what stands for a delivery in the history of its order.
func historyMember(deliveryID string) (string, error) {
	raw, err := hex.DecodeString(deliveryID)
	return string(raw), err
}

// historyIDs are the ids of deliveries in a history.
func historyIDs(members []string) []string {
	ids := make([]string, len(members))
	for i, member := range members {
		ids[i] = hex.EncodeToString([]byte(member))
	}
	return ids
}

func splitMember(member string) (event dispatcher.EventID, deliveryID string) {
	copy(event[:], member)
	return event, hex.EncodeToString([]byte(member[len(event):]))
}
