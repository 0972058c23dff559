package store

import "github.com/tidings/tidings/dispatcher"

const (
	// snapshotsBytes bounds the records of snapshots that are kept. They are kept packed: a backlog of some ten thousand
	// changes fits, and the garbage collector does not look into them.
	snapshotsBytes = 32 << 20
	snapshotRoom   = 256 // about what one takes beside its record
)

// changeOf names a change: its snapshot is written with it and never changed, only taken away.
type changeOf struct {
	ref dispatcher.OrderRef
	id  string
}

func (s *Store) keepSnapshot(of changeOf, record string) {
	s.snapshots.put(of, record, len(record)+snapshotRoom)
}

// claimedSnapshot is the snapshot that a claim found, nil when it is gone: an erased one is not sent, though it may still be
// kept here. reply is the record, or anything when the claim told that it is kept.
func (s *Store) claimedSnapshot(of changeOf, reply, kept string) (*dispatcher.Snapshot, error) {
	switch {
	case reply == "":
		s.snapshots.drop(of)
		return nil, nil
	case kept == "":
		s.keepSnapshot(of, reply) // for its next attempt, and for other notifications of the change
		kept = reply
	}
	snap, err := decodeSnapshot([]byte(kept))
	if err != nil {
		return nil, err
	}
	return &snap, nil
}
