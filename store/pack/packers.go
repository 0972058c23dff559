package pack

import (
	"bytes"
	"runtime"
	"sync"

	"github.com/klauspost/compress/s2"
)

// The encoder with a dictionary has a table of 64 KB on its stack. A goroutine that lives for one task, as those of Asynq do,
// would grow its stack for it each time, which costs as much as the packing: a few that stay do it for all.

// job is one value to pack. It is used again.
type job struct {
	plain  []byte
	packed chan []byte
}

var (
	jobs  = sync.Pool{New: func() any { return &job{packed: make(chan []byte, 1)} }}
	queue = make(chan *job)
	begin = sync.OnceFunc(func() {
		for range runtime.GOMAXPROCS(0) {
			go packer()
		}
	})
)

func packer() {
	room := make([]byte, 1+s2.MaxEncodedLen(largeFrom))
	room[0] = packedS2
	for j := range queue {
		j.packed <- encode(room, j.plain)
	}
}

// encode returns nil where the encoder panics: on a goroutine that belongs to nobody that would end the process, and what is
// not packed is kept as it is.
func encode(room, plain []byte) (packed []byte) {
	defer func() {
		if recover() != nil {
			packed = nil
		}
	}()
	return bytes.Clone(room[:1+len(dictionary.Encode(room[1:], plain))])
}

// withDictionary returns nil where the encoder failed.
func withDictionary(plain []byte) []byte {
	begin()
	j := jobs.Get().(*job)
	j.plain = plain
	queue <- j
	packed := <-j.packed
	j.plain = nil
	jobs.Put(j)
	return packed
}
