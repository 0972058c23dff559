package store_test

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store/pack"
)

// raw is a delivery as it lies in Redis, read here without the store's own code.
type raw struct {
	id       string
	shard    string // "s12"
	status   byte
	payload  byte // where its snapshot is
	ordering byte
	expires  bool
	events   map[string]bool // event id (16 bytes) -> failed
	terms    struct {
		Merchant string   `cbor:"1,keyasint"`
		Channel  string   `cbor:"2,keyasint"`
		Order    string   `cbor:"3,keyasint"`
		Version  int64    `cbor:"4,keyasint"`
		Change   rawID    `cbor:"5,keyasint"`
		Notified rawID    `cbor:"6,keyasint"`
		Adapter  string   `cbor:"8,keyasint"`
		Ref      string   `cbor:"9,keyasint"`
		Scope    []string `cbor:"10,keyasint"`
		Snapshot any      `cbor:"17,keyasint"`
	}
	progress struct {
		Lone    bool  `cbor:"7,keyasint"`
		Settled int64 `cbor:"9,keyasint"`
	}
}

// rawID is 16 bytes of a hexadecimal id, or a letter and then another one.
type rawID []byte

func (r rawID) String() string {
	if len(r) == 16 {
		return hex.EncodeToString(r)
	}
	return strings.TrimSuffix(string(r[1:]), "\x00")
}

func (r raw) open() bool   { return strings.ContainsRune("prk", rune(r.status)) }
func (r raw) inLane() bool { return r.ordering != 'n' && !r.progress.Lone }
func (r raw) key(rest string) string {
	return "td{" + r.shard + "}:" + rest
}

// unpacked is a packed value as text: one that is not packed is given as it is.
func unpacked(value string) string {
	if plain, err := pack.Unpack([]byte(value)); err == nil {
		return string(plain)
	}
	return value
}

func readRaw(t tb, key string, c content) raw {
	t.Helper()
	r := raw{expires: c.expires, events: map[string]bool{}, shard: hashTag(key)}
	_, r.id, _ = strings.Cut(key, "}:d:")
	record := c.text
	take := func(size int) string {
		if len(record) < size {
			t.Fatalf("%s: %q ends too soon", key, c.text)
		}
		part := record[:size]
		record = record[size:]
		return part
	}
	number := func(digits int) int {
		n, err := strconv.ParseInt(take(digits), 16, 32)
		if err != nil {
			t.Fatalf("%s: %q: %v", key, c.text, err)
		}
		return int(n)
	}
	r.status = take(26)[12]
	r.payload, r.ordering = take(1)[0], take(1)[0]
	terms, progress := number(6), number(4)
	if err := cbor.Unmarshal([]byte(take(progress)), &r.progress); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	if err := cbor.Unmarshal([]byte(unpacked(take(terms))), &r.terms); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	if (r.payload == 't') != (r.terms.Snapshot != nil) {
		t.Errorf("%s tells %q of its snapshot, and holds %v", key, r.payload, r.terms.Snapshot)
	}
	for record != "" {
		size := number(6)
		id := take(16)
		var a struct {
			Reason string `cbor:"14,keyasint"`
		}
		if err := cbor.Unmarshal([]byte(unpacked(take(size))), &a); err != nil {
			t.Fatalf("%s Event %x: %v", key, id, err)
		}
		if _, twice := r.events[id]; twice {
			t.Errorf("%s has Event %x twice", key, id)
		}
		r.events[id] = a.Reason != ""
	}
	return r
}

// invariants holds the whole keyspace to what must be true of it between any two steps.
func invariants(t tb, rdb *redis.Client) {
	t.Helper()
	all := dump(t, rdb)
	var deliveries []raw
	for key, c := range all {
		if strings.Contains(key, "}:d:") {
			deliveries = append(deliveries, readRaw(t, key, c))
		}
	}
	slices.SortFunc(deliveries, func(a, b raw) int { return int(a.terms.Version - b.terms.Version) })
	want := expectation{
		due: map[string][]string{}, lanes: map[string][]string{}, counts: map[string]int{}, indexes: map[string][]string{},
	}
	for _, d := range deliveries {
		shard := dispatcher.OrderRef{Merchant: d.terms.Merchant, OrderID: d.terms.Order}.Shard()
		if named := "s" + strconv.Itoa(shard); d.shard != named || !strings.HasPrefix(d.id, fmt.Sprintf("%02x", shard)) {
			t.Errorf("delivery %s of order %s lies in %s, belongs in %s", d.id, d.terms.Order, d.shard, named)
		}
		if d.open() == d.expires || d.open() == (d.progress.Settled != 0) {
			t.Errorf("delivery %s: status %c, expires=%v, settled at %d", d.id, d.status, d.expires, d.progress.Settled)
		}
		want.add(t, d)
	}
	erasing := want.checkHistories(t, all, deliveries)
	want.check(t, all)
	for _, d := range deliveries {
		_, there := all[d.key("c:"+d.terms.Change.String())]
		if d.open() && d.payload != 't' && !there && !erasing[d.id] {
			t.Errorf("open delivery %s of order %s has no snapshot", d.id, d.terms.Order)
		}
	}
}

// expectation is what the deliveries say must be in the other keys.
type expectation struct {
	due, lanes, indexes map[string][]string
	counts              map[string]int
}

func (e expectation) add(t tb, d raw) {
	if d.open() {
		e.due[d.key("due")] = append(e.due[d.key("due")], d.id)
		if d.payload == 'c' {
			e.counts[d.key("c:"+d.terms.Change.String())]++
		}
		if d.inLane() {
			lane := d.key("l:" + d.terms.Merchant + ":" + d.terms.Order + "/" + d.terms.Notified.String())
			e.lanes[lane] = append(e.lanes[lane], d.id)
		}
	}
	id, err := hex.DecodeString(d.id)
	if err != nil {
		t.Fatal(err)
	}
	for event, failed := range d.events {
		for i, key := range d.indexes(failed) {
			member := event
			if i == 0 { // the index of all
				member += string(id)
			}
			e.indexes[key] = append(e.indexes[key], member)
		}
	}
}

// indexes are those that an Event of the delivery is in.
func (r raw) indexes(failed bool) []string {
	values := [][2]string{{"a", ""}, {"o", r.terms.Order}, {"n", r.terms.Notified.String()}}
	for _, key := range r.terms.Scope {
		values = append(values, [2]string{"s", key})
	}
	for kind, value := range map[string]string{"d": r.terms.Adapter, "r": r.terms.Ref, "c": r.terms.Channel} {
		if value != "" {
			values = append(values, [2]string{kind, value})
		}
	}
	if failed {
		values = append(values, [2]string{"f", ""})
	}
	var keys []string
	for _, v := range values {
		keys = append(keys, r.key("x:"+r.terms.Merchant+":"+v[0]+":"+v[1]))
	}
	return keys
}

func (e expectation) check(t tb, all map[string]content) {
	t.Helper()
	due, lanes, indexes := map[string][]string{}, map[string][]string{}, map[string][]string{}
	for key, c := range all {
		_, rest, _ := strings.Cut(key, "}:")
		kind, _, _ := strings.Cut(rest, ":")
		switch kind {
		case "due":
			due[key] = members(c)
		case "l":
			lanes[key] = c.list
		case "x":
			indexes[key] = members(c)
		case "c":
			if count, err := strconv.Atoi(c.hash["n"]); err != nil || count != e.counts[key] {
				t.Errorf("snapshot %s counts %q open deliveries, there are %d", key, c.hash["n"], e.counts[key])
			}
			if c.expires == (e.counts[key] > 0) {
				t.Errorf("snapshot %s with %d open deliveries: expires=%v", key, e.counts[key], c.expires)
			}
			continue
		case "o", "n", "d", "h", "erase", "g":
		default:
			if !strings.HasPrefix(kind, "h~") {
				t.Errorf("key %q is of no kind that the store has", key)
			}
		}
		_, known := c.hash["k"]
		erased := kind == "o" && !known // only its version is left, for a while
		if kind != "d" && c.expires != erased {
			t.Errorf("key %q: expires=%v", key, c.expires)
		}
	}
	same(t, "due", due, e.due, true)
	same(t, "lane", lanes, e.lanes, false)
	same(t, "index", indexes, e.indexes, true)
}

func members(c content) []string {
	var all []string
	for _, z := range c.zset {
		all = append(all, z.Member.(string))
	}
	return all
}

func same(t tb, what string, have, want map[string][]string, sorted bool) {
	t.Helper()
	keys := maps.Clone(have)
	maps.Copy(keys, want)
	for key := range keys {
		h, w := have[key], want[key]
		if sorted {
			h, w = slices.Sorted(slices.Values(h)), slices.Sorted(slices.Values(w))
		}
		if !slices.Equal(h, w) {
			t.Errorf("%s %s holds %q, must hold %q", what, key, h, w)
		}
	}
}

// checkHistories holds every delivery to one history, that of its order or one set aside by a deletion; it returns the
// deliveries of the latter.
func (expectation) checkHistories(t tb, all map[string]content, deliveries []raw) (erasing map[string]bool) {
	t.Helper()
	in, erasing := map[string]int{}, map[string]bool{}
	for key, c := range all {
		_, rest, _ := strings.Cut(key, "}:")
		if !strings.HasPrefix(rest, "h:") && !strings.HasPrefix(rest, "h~") {
			continue
		}
		for _, member := range members(c) {
			id := hex.EncodeToString([]byte(member))
			in[id]++
			if strings.HasPrefix(rest, "h~") {
				erasing[id] = true
			} else if _, there := all["td{"+hashTag(key)+"}:d:"+id]; !there {
				t.Errorf("history %s names %s, which is not there", key, id)
			}
		}
	}
	for _, d := range deliveries {
		// Of an order whose erasure is finished the settled deliveries stay, for their Events, without a history.
		if in[d.id] > 1 || in[d.id] == 0 && d.open() {
			t.Errorf("delivery %s (open: %v) is in %d histories", d.id, d.open(), in[d.id])
		}
	}
	return erasing
}
