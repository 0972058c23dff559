package outbound_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"testing"

	"github.com/tidings/tidings/dispatcher/outbound"
)

const mib = 1 << 20

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// bomb packs so many zeros, a thousand to one.
func bomb(t testing.TB, size int64, by func(io.Writer) io.WriteCloser) []byte {
	t.Helper()
	var out bytes.Buffer
	w := by(&out)
	if _, err := io.Copy(w, io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipBest(w io.Writer) io.WriteCloser {
	z, _ := gzip.NewWriterLevel(w, gzip.BestCompression)
	return z
}
func zlibBest(w io.Writer) io.WriteCloser {
	z, _ := zlib.NewWriterLevel(w, zlib.BestCompression)
	return z
}
func flateBest(w io.Writer) io.WriteCloser {
	z, _ := flate.NewWriter(w, flate.BestCompression)
	return z
}

// Not parallel, so that what is allocated meanwhile is this request's (and the server's, which writes what it has).
func TestABombCostsBoundedMemory(t *testing.T) {
	const bound = 512 * kib // for all of an exchange; a decoder's window and tables are most of it
	plain := bomb(t, 50*mib, gzipBest)
	for _, row := range []struct {
		why, coding string
		body        []byte
		kept        int
		truncated   bool
	}{
		{"50 MB in 50 KB", "gzip", plain, 16 * kib, true},
		{"the same by zlib", "deflate", bomb(t, 50*mib, zlibBest), 16 * kib, true},
		{"the same, bare", "deflate", bomb(t, 50*mib, flateBest), 16 * kib, true},
		{"fifty members of 1 MB", "gzip", bytes.Repeat(bomb(t, mib, gzipBest), 50), 16 * kib, true},
		{"two thousand members with nothing in them", "gzip", bytes.Repeat(packed(t, nil, gzipped), 2000), 0, false},
		{"a bomb in a bomb, said to be one: one layer comes off", "gzip", packed(t, plain, gzipped), -1, false},
		{"a bomb in a bomb, said to be two: a coding we do not know, kept as it came", "gzip, gzip", packed(t, plain, gzipped), -1, false},
		{"a bomb that does not say so: bytes like any", "", plain, 16 * kib, true},
	} {
		t.Run(row.why, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if row.coding != "" {
					w.Header().Set("Content-Encoding", row.coding)
				}
				w.Header().Set("Content-Length", strconv.Itoa(len(row.body)))
				_, _ = w.Write(row.body)
			})
			c := local(t)
			var got outbound.Answer
			cost := allocated(func() { got = c.Do(context.Background(), outbound.Request{URL: server.URL}) })
			if got.StatusCode != http.StatusOK || got.Reason != "" || len(got.Body) > 16*kib {
				t.Errorf("%d bytes kept of %d, %+v", len(got.Body), len(row.body), got.Reason)
			}
			if row.kept >= 0 && (len(got.Body) != row.kept || got.Truncated != row.truncated) {
				t.Errorf("%d bytes kept, truncated %v; want %d, %v", len(got.Body), got.Truncated, row.kept, row.truncated)
			}
			if cost > bound {
				t.Errorf("%d KiB allocated for %d bytes, at most %d KiB are", cost/kib, len(row.body), bound/kib)
			}
			t.Logf("%d bytes on the wire: %d KiB allocated", len(row.body), cost/kib)
		})
	}
}

// allocated is what all goroutines allocate meanwhile, freed or not.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
