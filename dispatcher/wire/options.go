package wire

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidings/tidings/scope"
)

const (
	maxOptionBytes  = 1024 // of a text
	maxOptionFaults = 100  // an answer must not be much larger than its request
)

// option is one member that a notification's options may have.
type option struct {
	name     string
	kind     scope.Kind
	required bool
	want     string                 // what a text must be, in words
	fits     func(text string) bool // nil: any text
}

// checkOptions holds options against what a format knows.
func checkOptions(options scope.Value, known ...option) (faults scope.Faults) {
	if k := options.Kind(); k != scope.KindAbsent && k != scope.KindObject {
		return scope.Faults{{Detail: "expected object, got " + k.String()}}
	}
	var names []string
	for _, o := range known {
		names = append(names, o.name)
		if detail := o.fault(options.Member(o.name)); detail != "" {
			faults = append(faults, scope.Fault{Pointer: "/" + o.name, Detail: detail})
		}
	}
	unknown := "unknown member: the format has no options"
	if len(names) > 0 {
		unknown = "unknown member: the format's options are " + strings.Join(names, ", ")
	}
	for _, m := range options.Members() {
		if slices.Contains(names, m.Name) {
			continue
		}
		if len(faults) == maxOptionFaults {
			return append(faults, scope.Fault{Detail: "more faults are not listed"})
		}
		faults = append(faults, scope.Fault{Pointer: scope.Pointer{}.Child(m.Name).String(), Detail: unknown})
	}
	return faults
}

// fault says what is wrong with a value of the option, "" when nothing is.
func (o option) fault(v scope.Value) string {
	content, isText := v.Text()
	switch {
	case v.IsAbsent() && o.required:
		return "is required"
	case v.IsAbsent():
		return ""
	case v.Kind() != o.kind:
		return fmt.Sprintf("expected %s, got %s", o.kind, v.Kind())
	case isText && (content == "" || len(content) > maxOptionBytes):
		return fmt.Sprintf("expected a text of 1 to %d bytes", maxOptionBytes)
	case isText && o.fits != nil && !o.fits(content):
		return "expected " + o.want
	}
	return ""
}

// textOption is the option of that name, or what stands for it when it is not given.
func textOption(options scope.Value, name, otherwise string) string {
	if content, ok := options.Member(name).Text(); ok {
		return content
	}
	return otherwise
}

// isOption reports the truth of a boolean option, or what stands for it when it is not given.
func isOption(options scope.Value, name string, otherwise bool) bool {
	if b, ok := options.Member(name).Bool(); ok {
		return b
	}
	return otherwise
}
