package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// fbpiFiles is the directory of noon's flow:
//
//	<order_nr>.json         the order with its customer
//	<order_nr>.status.json  how far it is
//	.new-*                  a file that is being written; what a kill left of it is removed
//
// In the names, every byte of order_nr but letters, digits, _ and - is written %XX. So no order_nr leads out of the
// directory, and none is another's status. The files may hold personal data: only their owner can read them.
type fbpiFiles struct{ dir string }

const (
	fbpiRecordSuffix = ".status.json"
	fbpiHalfWritten  = ".new-"
)

// open makes the directory and reads every record in it. One that cannot be read is told, not passed over.
func (f fbpiFiles) open() (map[string]*fbpiRecord, error) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, err
	}
	records := map[string]*fbpiRecord{}
	var faults []error
	for _, entry := range entries {
		path := filepath.Join(f.dir, entry.Name())
		switch {
		case strings.HasPrefix(entry.Name(), fbpiHalfWritten):
			faults = append(faults, os.Remove(path))
		case strings.HasSuffix(entry.Name(), fbpiRecordSuffix):
			r, err := readFBPIRecord(path)
			if err == nil && fbpiFileName(r.OrderNr)+fbpiRecordSuffix != entry.Name() {
				err = fmt.Errorf("%s: it is about order %q", path, r.OrderNr)
			}
			faults = append(faults, err)
			records[r.OrderNr] = &r
		}
	}
	return records, errors.Join(faults...)
}

func readFBPIRecord(path string) (r fbpiRecord, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func (f fbpiFiles) writeRecord(r fbpiRecord) error {
	text, err := jsonText(r)
	if err != nil {
		return err
	}
	return f.write(fbpiFileName(r.OrderNr)+fbpiRecordSuffix, text)
}

func (f fbpiFiles) writeOrder(orderNr string, text []byte) error {
	return f.write(fbpiFileName(orderNr)+".json", text)
}

// write replaces a file whole or not at all: whoever reads it finds the old one or the new one, also after a kill.
func (f fbpiFiles) write(name string, text []byte) (err error) {
	half, err := os.CreateTemp(f.dir, fbpiHalfWritten+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(half.Name())
		}
	}()
	_, err = half.Write(text)
	err = errors.Join(err, half.Sync(), half.Close()) // synced first: after a power cut no name may stand for an empty file
	if err != nil {
		return err
	}
	if err := os.Rename(half.Name(), filepath.Join(f.dir, name)); err != nil {
		return err
	}
	if dir, err := os.Open(f.dir); err == nil { // the new name, too; not every system can, and then it is as safe as it gets
		_ = dir.Sync()
		_ = dir.Close()
	}
	return nil
}

// fbpiFileName has one name for each order_nr.
func fbpiFileName(orderNr string) string {
	var b strings.Builder
	for _, c := range []byte(orderNr) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// jsonText writes JSON in which & stays &.
func jsonText(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return out.Bytes(), err
}
