package store

import "context"

// Sealings tells with which keys the sealed values of the store are sealed. A value that came twice in a scan (Redis was
// growing its table) is counted twice.
type Sealings struct {
	Values     int64
	ByKey      map[KeyID]int64 // a value that is sealed in parts counts under a key that does not write, if there is one
	Resealed   int64
	Unreadable int64 // were not opened, and are left as they are; those that name a key are in ByKey, too
}

// Only reports whether every value is sealed with this key and opens: no other is needed any more.
func (s Sealings) Only(key KeyID) bool { return s.Unreadable == 0 && s.ByKey[key] == s.Values }

// ResealWatch is told what Reseal does; both may be nil.
type ResealWatch struct {
	Progress   func(Sealings)              // from time to time
	Unreadable func(place string, e error) // each value that cannot be opened; neither holds anything of it
}

const (
	resealTries    = 20 // against others who keep writing the same value; it then stays as they sealed it
	progressValues = 1000
)

// CountSealings looks at every sealed value and opens it.
func (s *Store) CountSealings(ctx context.Context, watch ResealWatch) (Sealings, error) {
	return s.walkSealed(ctx, watch, false)
}

// Reseal seals with the key that writes whatever is sealed with another, each value in one step of its own: it may be
// cut off anywhere and called again, and runs beside those who write. ErrNotAdmitted when no process writes with that key.
func (s *Store) Reseal(ctx context.Context, watch ResealWatch) (Sealings, error) {
	if err := s.admitted(ctx); err != nil {
		return Sealings{}, err
	}
	return s.walkSealed(ctx, watch, true)
}

// SettleSealing counts, and when all is sealed with the key that writes, forgets that others ever sealed something: a
// process may then be started without them.
func (s *Store) SettleSealing(ctx context.Context, watch ResealWatch) (Sealings, error) {
	found, err := s.CountSealings(ctx, watch)
	if err != nil || !found.Only(s.sealer.writer) {
		return found, err
	}
	return found, s.forgetKeys(ctx)
}

func (s *Store) walkSealed(ctx context.Context, watch ResealWatch, write bool) (Sealings, error) {
	found := Sealings{ByKey: map[KeyID]int64{}}
	err := s.eachSealed(ctx, func(v sealedValue) error {
		if found.Values > 0 && found.Values%progressValues == 0 && watch.Progress != nil {
			watch.Progress(found)
		}
		return s.lookAtSealed(ctx, v, watch, write, &found)
	})
	return found, err
}

func (s *Store) lookAtSealed(ctx context.Context, v sealedValue, watch ResealWatch, write bool, found *Sealings) error {
	for try := 1; ; try++ {
		r := resealing{sealer: s.sealer}
		fresh, err := r.value(v)
		if err != nil {
			found.Unreadable++
			if watch.Unreadable != nil {
				watch.Unreadable(v.place(), err)
			}
		}
		key, stale := r.key()
		if err != nil || !stale || !write || try > resealTries {
			found.count(key, r)
			return nil
		}
		done, err := resealScript.Run(ctx, s.rdb, []string{v.key}, v.field, v.text, fresh).Int()
		if err != nil {
			return unavailable("reseal", err)
		}
		if done == 1 {
			found.Resealed++
			found.count(s.sealer.writer, r)
			return nil
		}
		if there, err := s.reread(ctx, &v); err != nil || !there { // somebody wrote meanwhile: look again
			return err
		}
	}
}

func (s *Sealings) count(key KeyID, r resealing) {
	s.Values++
	if len(r.keys) > 0 {
		s.ByKey[key]++
	}
}

// place names a value for people: its key, and the field in it.
func (v sealedValue) place() string {
	if v.field == "" {
		return v.key
	}
	return v.key + " " + v.field
}
