package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tidings/tidings/store"
)

// keyList is one key, several with commas, or a list of them.
type keyList []string

// UnmarshalYAML implements yaml.Unmarshaler. No error of it tells what stands there.
func (l *keyList) UnmarshalYAML(node *yaml.Node) error {
	switch node.Kind {
	case yaml.ScalarNode:
		*l = strings.Split(node.Value, ",")
		return nil
	case yaml.SequenceNode:
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode {
				return fmt.Errorf("line %d: expected a sealing key", item.Line)
			}
			*l = append(*l, item.Value)
		}
		return nil
	}
	return fmt.Errorf("line %d: expected a sealing key, or a list of them", node.Line)
}

// parseSealingKeys reads keys, the one that writes first. It tells every fault at once, and nothing of a key but its place.
func parseSealingKeys(texts []string) (keys [][]byte, err error) {
	if strings.Join(texts, "") == "" { // given, but as nothing
		return nil, nil
	}
	var faults []error
	ids := map[store.KeyID]int{}
	for i, text := range texts {
		key, err := parseSealingKey(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("--sealing-key: key %d: %w", i+1, err))
			continue
		}
		id := store.SealingKeyID(key)
		if first, twice := ids[id]; twice {
			faults = append(faults, fmt.Errorf("--sealing-key: key %d: the same as key %d", i+1, first))
			continue
		}
		ids[id] = i + 1
		keys = append(keys, key)
	}
	return keys, errors.Join(faults...)
}

// parseSealingKey reads base64, or the hexadecimal digits that our own key file holds.
func parseSealingKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	decode := base64.StdEncoding.DecodeString
	if len(text) == hex.EncodedLen(store.SealingKeyBytes) {
		decode = hex.DecodeString
	}
	key, err := decode(text)
	if err != nil || len(key) != store.SealingKeyBytes {
		return nil, fmt.Errorf("expected base64 of %d bytes (tidings token prints a fresh one)", store.SealingKeyBytes)
	}
	return key, nil
}

// sealer takes the configured keys. With our own Redis one is made on first use and kept beside the data.
func (s *service) sealer() (*store.Sealer, error) {
	if keys := s.set.sealingKeys; len(keys) > 0 {
		return store.NewSealer(keys[0], keys[1:]...)
	}
	if !s.redis.embedded.Durable() {
		return store.NewSealer(store.NewSealingKey())
	}
	path := keyFile(s.set.dataDir)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		// Written before anything is sealed with it: a key that sealed and is lost would lock everybody out.
		if err := writeWhole(path, hex.EncodeToString(store.NewSealingKey())+"\n"); err != nil {
			return nil, err
		}
	}
	return readKeyFile(path)
}

// keyFile is where a Tidings with its own Redis keeps its sealing keys, one in a line; the first writes.
func keyFile(dataDir string) string { return filepath.Join(dataDir, "sealing.key") }

func readKeyFile(path string) (*store.Sealer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s: there is no key in it", path)
	}
	keys, err := parseSealingKeys(lines)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return store.NewSealer(keys[0], keys[1:]...)
}

// writeWhole writes a file whole or not at all: a key of which a crash left half would lock everybody out.
func writeWhole(path, text string) error {
	half := path + ".new"
	if err := os.WriteFile(half, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(half, path)
}
