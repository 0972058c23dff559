package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ForeignKeysError says that the store holds what was sealed with keys that are not configured here.
type ForeignKeysError struct {
	Foreign []KeyID // sealed something, and are not configured
	Have    []KeyID // are configured, the one that writes first
}

// Error implements error.
func (e *ForeignKeysError) Error() string {
	return fmt.Sprintf("the store holds secrets sealed with key %s, and configured is %s: give every key that sealed "+
		"something, the one that is to write first (older ones until tidings reseal is through)", ids(e.Foreign), ids(e.Have))
}

func ids(all []KeyID) string {
	texts := make([]string, len(all))
	for i, id := range all {
		texts[i] = id.String()
	}
	return strings.Join(texts, ", ")
}

// format names how records are kept. A build that keeps them otherwise, so that others cannot read them, has another.
const format = "3"

// FormatError says that the store was written by a build that keeps records otherwise.
type FormatError struct{ Kept string }

// Error implements error.
func (e *FormatError) Error() string {
	return fmt.Sprintf("the store holds records of format %s, and this build reads and writes format %s only: go on with the build that "+
		"wrote it, or begin with an empty Redis (or --data-dir)", e.Kept, format)
}

// Admit checks that this build reads what is stored, and that the keys of this process read whatever is sealed in the store, and remembers the key that it writes
// with. A store that nobody has sealed anything in takes any key. A ForeignKeysError is for the operator to mend: a
// process that went on would fail every delivery, and seal what nobody else can read.
func (s *Store) Admit(ctx context.Context) error {
	known, err := s.rdb.HLen(ctx, sealKey).Result()
	if err != nil {
		return unavailable("read sealing keys", err)
	}
	if known == 0 { // written before there was such a list, or it was lost: whatever was sealed first stands for it
		if err := s.sampleSeal(ctx); err != nil {
			return err
		}
	}
	writer := s.sealer.writer
	args := []any{writer.String(), s.sealer.Seal(nil, sealPlaceOfKey(writer)), format}
	for id := range s.sealer.keys {
		args = append(args, id.String())
	}
	pairs, err := admitScript.Run(ctx, s.rdb, []string{sealKey, formatKey}, args...).StringSlice()
	if err != nil {
		return unavailable("admit sealing key", err)
	}
	if len(pairs) == 2 && pairs[0] == "format" {
		return &FormatError{Kept: pairs[1]}
	}
	foreign := map[KeyID]bool{}
	for i := 0; i+1 < len(pairs); i += 2 {
		id, err := parseKeyID(pairs[i])
		if err != nil {
			return err
		}
		var unknown *UnknownKeyError
		if _, err = s.sealer.Open([]byte(pairs[i+1]), sealPlaceOfKey(id)); errors.As(err, &unknown) {
			foreign[id] = true
		} else if err != nil {
			return fmt.Errorf("sealing key %s: %w", id, err)
		}
	}
	return s.foreign(foreign)
}

// foreign is a ForeignKeysError, or nil when there are none.
func (s *Store) foreign(keys map[KeyID]bool) error {
	if len(keys) == 0 {
		return nil
	}
	e := &ForeignKeysError{Have: []KeyID{s.sealer.writer}}
	for id := range s.sealer.keys {
		if id != s.sealer.writer {
			e.Have = append(e.Have, id)
		}
	}
	for id := range keys {
		e.Foreign = append(e.Foreign, id)
	}
	byText := func(a, b KeyID) int { return strings.Compare(a.String(), b.String()) }
	slices.SortFunc(e.Have[1:], byText)
	slices.SortFunc(e.Foreign, byText)
	return e
}

var errSampled = errors.New("sampled")

// sampleSeal looks at the first sealed value that it finds.
func (s *Store) sampleSeal(ctx context.Context) error {
	foreign := map[KeyID]bool{}
	err := s.eachSealed(ctx, func(v sealedValue) error {
		fresh := resealing{sealer: s.sealer}
		_, err := fresh.value(v)
		var unknown *UnknownKeyError
		if errors.As(err, &unknown) {
			foreign[unknown.Key] = true
		}
		return errSampled
	})
	if err != nil && !errors.Is(err, errSampled) {
		return err
	}
	return s.foreign(foreign)
}

func sealPlaceOfKey(id KeyID) string { return "sealing-key:" + id.String() }

func parseKeyID(text string) (id KeyID, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("sealing key of id %q", text)
	}
	return KeyID(raw), nil
}

// ErrNotAdmitted says that no Tidings has been started with the key that was to write.
var ErrNotAdmitted = errors.New("no Tidings has been started with this key as its first yet: nobody could read what it seals")

// admitted checks that a Tidings has been started with the key that writes.
func (s *Store) admitted(ctx context.Context) error {
	there, err := s.rdb.HExists(ctx, sealKey, s.sealer.writer.String()).Result()
	switch {
	case err != nil:
		return unavailable("read sealing keys", err)
	case !there:
		return fmt.Errorf("sealing key %s: %w", s.sealer.writer, ErrNotAdmitted)
	}
	return nil
}

// forgetKeys takes all keys but the writing one out of those that may have sealed something.
func (s *Store) forgetKeys(ctx context.Context) error {
	known, err := s.rdb.HKeys(ctx, sealKey).Result()
	if err != nil {
		return unavailable("read sealing keys", err)
	}
	for _, id := range known {
		if id == s.sealer.writer.String() {
			continue
		}
		if err := s.rdb.HDel(ctx, sealKey, id).Err(); err != nil {
			return unavailable("forget sealing key", err)
		}
	}
	return nil
}
