package dispatcher

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
)

// Registrations are notifications among which the one is looked up that a new registration repeats. Comparing contents is
// dear, and an order may have a thousand that are registered a thousand times again: each is read once, not compared with
// each.
type Registrations struct {
	all    []Notification
	places map[string][]int // by what a registration is known by, each rising; contents only while byContent
	// byContent: somebody was looked up by it already. Mostly they have names.
	byContent bool
	seed      maphash.Seed
}

// few are compared sooner than hashed.
const few = 8

// NewRegistrations takes over the slice.
func NewRegistrations(all []Notification) *Registrations {
	r := &Registrations{all: all, places: make(map[string][]int, 2*len(all)), seed: maphash.MakeSeed()}
	for i, n := range all {
		r.enter(i, n.names())
	}
	return r
}

// All are the notifications as they stand. The slice belongs to r: do not change it.
func (r *Registrations) All() []Notification { return r.all }

// Find returns the index of the registration that a new one repeats: the same id, else the same adapter and reference,
// else the same content; -1 when it is new. Of several it is the first.
func (r *Registrations) Find(n Notification) int {
	if n.ID != "" || n.AdapterID != "" && n.Reference != "" {
		if i := r.places[n.names()[0]]; len(i) > 0 {
			return i[0]
		}
		return -1
	}
	if len(r.all) <= few {
		return slices.IndexFunc(r.all, n.SameContent)
	}
	if !r.byContent {
		r.byContent = true
		for i, registered := range r.all {
			r.enter(i, []string{r.content(registered)})
		}
	}
	for _, i := range r.places[r.content(n)] {
		if n.SameContent(r.all[i]) { // else another secret, or the one chance in 2^64
			return i
		}
	}
	return -1
}

// Add appends one.
func (r *Registrations) Add(n Notification) {
	r.all = append(r.all, n)
	r.enter(len(r.all)-1, r.keys(n))
}

// Replace puts another in the place of one.
func (r *Registrations) Replace(i int, n Notification) {
	for _, key := range r.keys(r.all[i]) {
		if at, found := slices.BinarySearch(r.places[key], i); found {
			r.places[key] = slices.Delete(r.places[key], at, at+1)
		}
	}
	r.all[i] = n
	r.enter(i, r.keys(n))
}

func (r *Registrations) enter(i int, keys []string) {
	for _, key := range keys {
		at, _ := slices.BinarySearch(r.places[key], i)
		r.places[key] = slices.Insert(r.places[key], at, i)
	}
}

func (r *Registrations) keys(n Notification) []string {
	keys := n.names()
	if r.byContent {
		keys = append(keys, r.content(n))
	}
	return keys
}

// names are what a notification is known by whatever its content, the one that counts first.
func (n Notification) names() (all []string) {
	if n.ID != "" {
		all = append(all, "id "+n.ID)
	}
	if n.AdapterID != "" && n.Reference != "" {
		all = append(all, "reference "+n.AdapterID+" "+n.Reference) // an adapter's id holds no space
	}
	return all
}

// content is a hash of all that SameContent compares, but for the secrets. Nobody outside can make two that collide: the
// seed is another for each r.
func (r *Registrations) content(n Notification) string {
	var b []byte
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	number := func(i int64) { b = binary.AppendVarint(b, i) }
	flag := func(is bool) { b = append(b, map[bool]byte{true: 1}[is]) }
	for _, s := range []string{n.AdapterID, n.Reference, n.Description, n.URL, n.Version, n.Method, n.Format, n.Signing, string(n.Ordering)} {
		text(s)
	}
	flag(n.SpelledInvoke)
	flag(n.Handshake)
	number(int64(n.Timeout))
	number(int64(n.ExpiresAfter))
	number(int64(n.Retry.MaxAttempts))
	number(int64(len(n.Retry.Schedule)))
	for _, d := range n.Retry.Schedule {
		number(int64(d))
	}
	number(int64(len(n.Headers)))
	for _, h := range n.Headers {
		text(h.Name)
		text(h.Value.Reveal())
	}
	number(int64(len(n.ExcludeActors)))
	for _, actor := range n.ExcludeActors {
		text(actor)
	}
	rule, schema := n.Scope.JSON()
	b = n.Options.AppendMeaning(schema.AppendMeaning(rule.AppendMeaning(b)))
	return string(binary.BigEndian.AppendUint64([]byte("content "), maphash.Bytes(r.seed, b)))
}
