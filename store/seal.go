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

// Sealer seals secrets at rest with AES-256-GCM. A sealed text names the key that made it, so that after a rotation
// the new key writes and the old ones still read.
type Sealer struct {
	writer [sealIDBytes]byte
	keys   map[[sealIDBytes]byte]cipher.AEAD
}

// NewSealer takes the key that writes, and older ones that may still read.
func NewSealer(key []byte, older ...[]byte) (*Sealer, error) {
	s := &Sealer{keys: map[[sealIDBytes]byte]cipher.AEAD{}, writer: sealKeyID(key)}
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
		s.keys[sealKeyID(k)] = aead
	}
	return s, nil
}

// NewSealingKey returns a fresh random key.
func NewSealingKey() []byte {
	key := make([]byte, SealingKeyBytes)
	_, _ = rand.Read(key) // never fails (Go 1.24)
	return key
}

func sealKeyID(key []byte) (id [sealIDBytes]byte) {
	sum := sha256.Sum256(key)
	copy(id[:], sum[:])
	return id
}

// Seal encrypts plain for one place: opened elsewhere (another order, another notification) it is refused.
func (s *Sealer) Seal(plain []byte, place string) []byte {
	out := append([]byte{sealVersion}, s.writer[:]...)
	return s.keys[s.writer].Seal(out, nil, plain, []byte(place))
}

// Open decrypts what Seal made for the same place.
func (s *Sealer) Open(sealed []byte, place string) ([]byte, error) {
	if len(sealed) < sealOverhead || sealed[0] != sealVersion {
		return nil, errors.New("not a sealed text")
	}
	id := [sealIDBytes]byte(sealed[1:sealOverhead])
	aead, ok := s.keys[id]
	if !ok {
		return nil, fmt.Errorf("sealed with key %s, which is not configured", hex.EncodeToString(id[:]))
	}
	return aead.Open(nil, nil, sealed[sealOverhead:], []byte(place))
}
