package scope

import "strings"

// Fault is one thing wrong with what was sent, worded for the person who sent it.
type Fault struct {
	// Pointer is an RFC 6901 pointer to the faulty member. When it would be longer
	// than 1024 bytes it leads to the nearest value around the member instead.
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// Faults are all the things wrong, in the order they were found.
type Faults []Fault

// maxFaults bounds an answer: one long name around many faults would otherwise
// make it much larger than the request.
const maxFaults = 100

// Error joins the faults into one line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Detail
		if fault.Pointer != "" {
			lines[i] = fault.Pointer + ": " + fault.Detail
		}
	}
	return strings.Join(lines, "; ")
}

// Err is the faults as an error, nil when there are none. (Faults itself put into
// an error would not be nil even when empty.)
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// add notes a fault and reports whether there is room for more.
func (f *Faults) add(pointer, detail string) bool {
	switch {
	case len(*f) < maxFaults:
		*f = append(*f, Fault{Pointer: pointer, Detail: detail})
		return true
	case len(*f) == maxFaults:
		*f = append(*f, Fault{Detail: "more faults are not listed"})
	}
	return false
}
