package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidings/tidings/store"
)

type resealCommand struct {
	storeFlags
	SealingKey []string `help:"Keys as serve has them: what is not sealed with the first is sealed anew. Without it, those in the data directory." env:"TIDINGS_SEALING_KEY" placeholder:"KEY"`
	DryRun     bool     `help:"Only count."`
}

// errOtherKeys makes reseal end with 1.
var errOtherKeys = errors.New("not everything is sealed with the first key and readable: keep the other keys")

// Run seals anew what is not sealed with the first key, looks at everything once more and tells with which keys it is
// sealed then. It is safe beside running processes, and may be cut off and run again.
func (c resealCommand) Run(ctx context.Context, out output) error {
	sealer, err := c.sealer()
	if err != nil {
		return usageError{err}
	}
	st, _, closer, err := c.openSealed(sealer)
	if err != nil {
		return err
	}
	defer func() { _ = closer() }()
	named := store.ResealWatch{
		Progress:   func(s store.Sealings) { fmt.Fprintf(out.Err, "looked at %d, resealed %d\n", s.Values, s.Resealed) },
		Unreadable: func(place string, err error) { fmt.Fprintf(out.Out, "unreadable: %s: %v\n", place, err) },
	}
	if c.DryRun {
		found, err := st.CountSealings(ctx, named)
		if err != nil {
			return err
		}
		return tellSealings(out, found, sealer.Writer())
	}
	done, err := st.Reseal(ctx, store.ResealWatch{Progress: named.Progress}) // what is unreadable is named by the second look
	if err != nil {
		return err
	}
	found, err := st.SettleSealing(ctx, named)
	if err != nil {
		return err
	}
	found.Resealed = done.Resealed
	return tellSealings(out, found, sealer.Writer())
}

func (c resealCommand) sealer() (*store.Sealer, error) {
	keys, err := parseSealingKeys(c.SealingKey)
	switch {
	case err != nil:
		return nil, err
	case len(keys) > 0:
		return store.NewSealer(keys[0], keys[1:]...)
	case c.RedisURL != "":
		return nil, errors.New("--sealing-key: is needed with --redis-url")
	}
	dir, err := dataDir(c.DataDir)
	if err != nil {
		return nil, err
	}
	return readKeyFile(keyFile(dir))
}

// tellSealings prints the counts, the first key's first.
func tellSealings(out output, found store.Sealings, writer store.KeyID) error {
	line := func(name string, n int64) { fmt.Fprintf(out.Out, "%-24s %d\n", name, n) }
	line("sealed values", found.Values)
	line("  key "+writer.String()+" (first)", found.ByKey[writer])
	for _, id := range slices.SortedFunc(maps.Keys(found.ByKey), func(a, b store.KeyID) int { return strings.Compare(a.String(), b.String()) }) {
		if id != writer {
			line("  key "+id.String(), found.ByKey[id])
		}
	}
	line("resealed", found.Resealed)
	line("unreadable", found.Unreadable)
	if !found.Only(writer) {
		return errOtherKeys
	}
	return nil
}
