package store

import "github.com/tidings/tidings/dispatcher"

// snapshotsBytes bounds the snapshots that are kept decoded.
const snapshotsBytes = 32 << 20

// changeOf names a change: its snapshot is written with it and never changed, only taken away.
type changeOf struct {
	ref dispatcher.OrderRef
	id  string
}

// claimedSnapshot is the snapshot that a claim found, nil when it is gone: an erased one is not sent, though it may still be
// kept here. reply is the record, or anything when the claim told that a snapshot is kept.
func (s *Store) claimedSnapshot(of changeOf, reply string, kept dispatcher.Snapshot, isKept bool) (*dispatcher.Snapshot, error) {
	switch {
	case reply == "":
		s.snapshots.drop(of)
		return nil, nil
	case isKept:
		return &kept, nil
	}
	snap, room, err := decodeSnapshot([]byte(reply))
	if err != nil {
		return nil, err
	}
	s.snapshots.put(of, snap, room) // for its next attempt, and for other notifications of the change
	return &snap, nil
}
