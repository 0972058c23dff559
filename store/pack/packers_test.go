package pack

import "testing"

// The encoder slices the room that it is given: with too little it panics, as it would with a fault of its own.
func TestAPanicOfTheEncoderPacksNothing(t *testing.T) {
	t.Parallel()
	if packed := encode(make([]byte, 1), []byte("completed completed completed completed completed completed completed completed")); packed != nil {
		t.Errorf("%q", packed)
	}
}
