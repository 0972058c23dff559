package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// SealingKeyBytes is the length of a sealing key (AES-256).
const SealingKeyBytes = 32

const (
	sealVersion  = 1
	sealIDBytes  = 4
	sealOverhead = 1 + sealIDBytes
)

// KeyID names a sealing key without telling it: the first bytes of its SHA-256. It stands in front of every sealed text.
type KeyID [sealIDBytes]byte

// SealingKeyID returns the id of a key.
func SealingKeyID(key []byte) (id KeyID) {
	sum := sha256.Sum256(key)
	copy(id[:], sum[:])
	return id
}

// String returns the id in hexadecimal.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// UnknownKeyError says that a text is sealed with a key that is not configured. The text may be well.
type UnknownKeyError struct{ Key KeyID }

// Error implements error.
func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("sealed with key %s, which is not configured", e.Key)
}

var errNotSealed = errors.New("not a sealed text")

// Sealer seals secrets at rest with AES-256-GCM. A sealed text names the key that made it, so that after a rotation
// the new key writes and the old ones still read.
type Sealer struct {
	writer KeyID
	keys   map[KeyID]cipher.AEAD
}

// NewSealer takes the key that writes, and older ones that may still read.
func NewSealer(key []byte, older ...[]byte) (*Sealer, error) {
	s := &Sealer{keys: map[KeyID]cipher.AEAD{}, writer: SealingKeyID(key)}
	for _, k := range append([][]byte{key}, older...) {
		if len(k) != SealingKeyBytes {
			return nil, fmt.Errorf("sealing key has %d bytes, expected %d", len(k), SealingKeyBytes)
		}
		block, err := aes.NewCipher(k)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		id := SealingKeyID(k)
		if s.keys[id] != nil {
			return nil, fmt.Errorf("sealing key %s is given twice", id)
		}
		s.keys[id] = aead
	}
	return s, nil
}

// NewSealingKey returns a fresh random key.
func NewSealingKey() []byte {
	key := make([]byte, SealingKeyBytes)
	_, _ = rand.Read(key) // never fails (Go 1.24)
	return key
}

// Seal encrypts plain for one place: opened elsewhere (another order, another notification) it is refused.
func (s *Sealer) Seal(plain []byte, place string) []byte {
	out := append([]byte{sealVersion}, s.writer[:]...)
	return s.keys[s.writer].Seal(out, nil, plain, []byte(place))
}

// Open decrypts what Seal made for the same place. The error is an UnknownKeyError when the key is missing.
func (s *Sealer) Open(sealed []byte, place string) ([]byte, error) {
	id, err := sealedWith(sealed)
	if err != nil {
		return nil, err
	}
	aead, ok := s.keys[id]
	if !ok {
		return nil, &UnknownKeyError{id}
	}
	plain, err := aead.Open(nil, nil, sealed[sealOverhead:], []byte(place))
	if err != nil {
		return nil, fmt.Errorf("sealed with key %s, and changed or moved since: %w", id, err)
	}
	return plain, nil
}

// sealedWith names the key of a sealed text.
func sealedWith(sealed []byte) (id KeyID, err error) {
	if len(sealed) < sealOverhead || sealed[0] != sealVersion {
		return id, errNotSealed
	}
	return KeyID(sealed[1:sealOverhead]), nil
}

// Writer returns the id of the key that writes.
func (s *Sealer) Writer() KeyID { return s.writer }
