package pack_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tidings/tidings/store/pack"
)

const order = `{"id":"7c1d9b2e","state":{"currentStatus":"completed"},"customer":{"email":"anna@example.com","phone":"+46700000000"},` +
	`"cart":{"items":[{"rowId":"1","partNo":"00000017","name":"Cotton shirt","quantity":2,"price":{"amount":93.09000000,"vatRate":1.25,"currency":"SEK"}}]}}`

func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestPack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		plain []byte
		kind  byte
		most  int // bytes
	}{
		{"nothing", nil, 'p', 1},
		{"a word", []byte("completed"), 'p', 10},
		{"an order that the dictionary knows the words of", []byte(order), 't', 170},
		{"a large order", []byte(strings.Repeat(order, 100)), 'z', 500},
		{"what no packing makes smaller", noise(1000), 'p', 1001},
		{"as much of it as is large", noise(1 << 20), 'p', 1<<20 + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			packed := pack.Pack(c.plain)
			if packed[0] != c.kind || len(packed) > c.most {
				t.Errorf("%d bytes became %d of kind %c; want at most %d of kind %c", len(c.plain), len(packed), packed[0], c.most, c.kind)
			}
			for _, packed := range [][]byte{packed, pack.Quick(c.plain)} {
				if plain, err := pack.Unpack(packed); err != nil || !bytes.Equal(plain, c.plain) {
					t.Errorf("unpacked %c: %d bytes, %v", packed[0], len(plain), err)
				}
			}
		})
	}
}

// What an earlier build kept must stay readable: neither the dictionary nor the library may change under it.
func TestUnpackOfWhatIsKeptAlready(t *testing.T) {
	t.Parallel()
	for kind, kept := range map[string]string{
		"t": "748d02387b226964223a22376331643962326579e746e0003946007d36f60371e60c616e6e6166ea030437300d0104227d790456f50255e4093204313759ec2c436f74746f6e20736869727432c80200324ac8021039332e3039094441c11500150c7d5d7d7d",
		"z": "7a28b52ffd40000d00250600520e2b21406d9b0174700625a2bd12783012a956101a34e9777a0c9d8b12597feea2286a5c51e410452b2030c61f2a112c88c2b019715a2488c002dff638966abde6b4e08f5ddbf28138bd6f351c80e676ddc1b8b26ca7154a32ee16f665735a19671224dc1b6ac01da6bb86f07d99280a0602c6b5b946739a3985a8a36139a106d95a8e3b56321dc29f32b7cea34ed18cae3a1ae6d4b8f36c2e639bbef7a8215c37d739adcbc3825194629c5943010700614bddb5561c81bf3dd38aa70a09e11a4be6ce",
	} {
		packed, err := hex.DecodeString(kept)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := pack.Unpack(packed); err != nil || string(plain) != order {
			t.Errorf("%s: %q, %v", kind, plain, err)
		}
	}
}

func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	for name, packed := range map[string]string{
		"nothing":                    "",
		"an unknown kind":            `{"id":"7c1d9b2e"}`,
		"more than any value has":    "t\xff\xff\xff\x7f\x00",
		"more than any order has":    "q\xff\xff\xff\x7f\x00",
		"a block that ends too soon": string(pack.Pack([]byte(order))[:100]),
		"a frame that ends too soon": string(pack.Pack([]byte(strings.Repeat(order, 100)))[:100]),
	} {
		if plain, err := pack.Unpack([]byte(packed)); err == nil {
			t.Errorf("%s: %q", name, plain)
		}
	}
}

func FuzzPack(f *testing.F) {
	f.Add([]byte(order))
	f.Add(bytes.Repeat([]byte(order), 20))
	f.Fuzz(func(t *testing.T, plain []byte) {
		for _, packed := range [][]byte{pack.Pack(plain), pack.Quick(plain)} {
			if got, err := pack.Unpack(packed); err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%q became %q, %v", plain, got, err)
			}
			if len(packed) > len(plain)+1 {
				t.Errorf("%d bytes became %d", len(plain), len(packed))
			}
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add(pack.Pack([]byte(order)))
	f.Add(pack.Pack(bytes.Repeat([]byte(order), 20)))
	f.Add([]byte("p"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		if plain, err := pack.Unpack(packed); err == nil && len(plain) > 8<<20 {
			t.Errorf("%d bytes became %d", len(packed), len(plain))
		}
	})
}

func BenchmarkPack(b *testing.B) {
	for name, plain := range map[string][]byte{"order": []byte(order), "large": []byte(strings.Repeat(order, 100))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var packed []byte
			for b.Loop() {
				packed = pack.Pack(plain)
			}
			b.ReportMetric(float64(len(packed)), "packed-bytes")
		})
		b.Run(name+"/quick", func(b *testing.B) {
			b.ReportAllocs()
			var packed []byte
			for b.Loop() {
				packed = pack.Quick(plain)
			}
			b.ReportMetric(float64(len(packed)), "packed-bytes")
		})
		b.Run(name+"/by many goroutines", func(b *testing.B) { // as the tasks of Asynq are, each in one of its own
			b.ReportAllocs()
			done := make(chan bool)
			for b.Loop() {
				go func() { pack.Pack(plain); done <- true }()
				<-done
			}
		})
	}
}

func BenchmarkUnpack(b *testing.B) {
	for name, plain := range map[string][]byte{"order": []byte(order), "large": []byte(strings.Repeat(order, 100))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			packed := pack.Pack(plain)
			for b.Loop() {
				if _, err := pack.Unpack(packed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
