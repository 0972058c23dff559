package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/store/pack"
)

// haystack is everything that was written or answered, by where it was.
type haystack struct {
	t      *testing.T
	places map[string][]byte
}

func newHaystack(t *testing.T) *haystack { return &haystack{t, map[string][]byte{}} }

func (h *haystack) add(place string, text string) {
	for at := place; ; at += "'" {
		if _, taken := h.places[at]; !taken {
			h.places[at] = append([]byte(text), unpacked([]byte(text))...)
			return
		}
	}
}

// bulk finds the texts in an append-only file that the store has packed with its dictionary; these bear no mark of their own.
var bulk = regexp.MustCompile(`\$(\d+)\r\ns`)

// unpacked is what the packed values in the bytes hold: the store packs, and what it packed lies in files, too.
func unpacked(packed []byte) (plain []byte) {
	for _, at := range bulk.FindAllSubmatchIndex(packed, -1) {
		begin := at[1] - 1
		size, err := strconv.Atoi(string(packed[at[2]:at[3]]))
		if err != nil || begin+size > len(packed) {
			continue
		}
		if value, err := pack.Unpack(packed[begin : begin+size]); err == nil {
			plain = append(plain, value...)
		}
	}
	magic := []byte{0x28, 0xb5, 0x2f, 0xfd}
	for at := bytes.Index(packed, magic); at >= 0; {
		decoder, err := zstd.NewReader(bytes.NewReader(packed[at:]), zstd.WithDecoderConcurrency(1), zstd.IgnoreChecksum(true))
		if err == nil {
			var out bytes.Buffer
			_, _ = decoder.WriteTo(&out) // what follows the frame is not zstd: an error after the frame was read
			decoder.Close()
			plain = append(plain, out.Bytes()...)
		}
		next := bytes.Index(packed[at+1:], magic)
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return plain
}

// keyspace adds every key of every database in use, by its own commands and as Redis dumps it.
func (h *haystack) keyspace(rdb *redis.Client) {
	h.t.Helper()
	ctx := h.t.Context()
	keys, err := rdb.Keys(ctx, "*").Result()
	if err != nil || len(keys) < 20 {
		h.t.Fatal("keys:", len(keys), err)
	}
	for _, key := range keys {
		var value any
		switch kind := rdb.Type(ctx, key).Val(); kind {
		case "string":
			value = rdb.Get(ctx, key).Val()
		case "hash":
			fields := rdb.HGetAll(ctx, key).Val()
			for field, packed := range fields {
				if plain, err := pack.Unpack([]byte(packed)); err == nil {
					fields[field] += string(plain)
				}
			}
			value = fields
		case "list":
			value = rdb.LRange(ctx, key, 0, -1).Val()
		case "set":
			value = rdb.SMembers(ctx, key).Val()
		case "zset":
			value = rdb.ZRange(ctx, key, 0, -1).Val()
		case "none": // has just left
		default:
			h.t.Fatalf("%s is of type %q", key, kind)
		}
		h.add("redis "+key, key+fmt.Sprint(value)+rdb.Dump(ctx, key).Val())
	}
}

// files adds every file below a directory.
func (h *haystack) files(dir string) (n int) {
	h.t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		h.add("file "+filepath.Base(path), string(text))
		n++
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// secret is something that must be nowhere but where it is allowed.
type secret struct {
	name    string
	needles []string
	allowed []string // beginnings of places
}

// spelled are the ways in which a text may be written.
func spelled(text string) map[string]bool {
	all := map[string]bool{
		text: true, url.QueryEscape(text): true, url.PathEscape(text): true, html.EscapeString(text): true,
		hex.EncodeToString([]byte(text)): true, strings.ToUpper(hex.EncodeToString([]byte(text))): true,
	}
	if quoted, err := json.Marshal(text); err == nil {
		all[string(quoted[1:len(quoted)-1])] = true
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 { // where the text begins among the groups of three bytes
			encoded := encoding.EncodeToString(append(bytes.Repeat([]byte{0}, shift), text...))
			all[encoded[(shift*8+5)/6:len(encoded)-1]] = true // without what its neighbours change
		}
	}
	return all
}

// find tells every place of a secret where it may not be, and returns where it was at all.
func (h *haystack) find(s secret) (places []string) {
	h.t.Helper()
	told := map[string]bool{}
	for _, needle := range s.needles {
		if len(needle) < 12 {
			h.t.Fatalf("%s: too short to be looked for", s.name)
		}
		for spelling := range spelled(needle) {
			for place, text := range h.places {
				at := bytes.Index(text, []byte(spelling))
				if at < 0 {
					continue
				}
				places = append(places, place)
				if !hasAnyPrefix(place, s.allowed) && !told[place] {
					told[place] = true
					h.t.Errorf("%s is in %s: ...%q...", s.name, place, text[max(0, at-80):min(len(text), at+len(spelling)+20)])
				}
			}
		}
	}
	return places
}

func hasAnyPrefix(text string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}

// dictionaryWord is one that the store's dictionary has, of an order that is packed: there it is not to be read.
const dictionaryWord = `"culture":"sv-SE","country":"SE"`
