package scope

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// What a schema may be at most. Compiling takes time in the square of the number of
// values in it.
const (
	maxSchemaBytes  = 64 << 10
	maxSchemaValues = 4096
	maxPatternSteps = 4096 // instructions of one compiled regular expression
)

// schemaURL is where the schema pretends to be, so that "#/$defs/x" has a base.
// Nothing is ever fetched from there, nor from anywhere else.
const schemaURL = "tidings:///schema"

// compile compiles a schema, or takes it from the cache. Faults point into the
// notification, below /schema.
func compile(v Value) (*jsonschema.Schema, Faults) {
	if v.kind != KindObject && v.kind != KindBool {
		return nil, Faults{{"/schema", fmt.Sprintf("expected a JSON Schema (an object or a boolean), got %s", v.kind)}}
	}
	text := string(v.JSON())
	if s := compiled.get(text); s != nil {
		return s, nil
	}
	if len(text) > maxSchemaBytes {
		return nil, Faults{{"/schema", fmt.Sprintf("the schema has %d bytes, at most %d are taken", len(text), maxSchemaBytes)}}
	}
	if n := v.count(); n > maxSchemaValues {
		return nil, Faults{{"/schema", fmt.Sprintf("the schema holds %d values, at most %d are taken", n, maxSchemaValues)}}
	}
	s, err := compileText(v)
	if err != nil {
		return nil, schemaFaults(err)
	}
	if faults := inspect(s); len(faults) > 0 {
		return nil, faults
	}
	s = yesOrNo(s)
	compiled.put(text, s)
	return s, nil
}

// yesOrNo puts a schema where the library only asks whether it holds: it stops where
// it knows. Else it would note every fault with the whole way to it, which of a large
// order fills hundreds of megabytes.
func yesOrNo(s *jsonschema.Schema) *jsonschema.Schema {
	no := false
	// Of draft 6, for which least is done beside the keywords.
	return &jsonschema.Schema{DraftVersion: 6, If: s, Else: &jsonschema.Schema{Bool: &no}}
}

// count is the number of values in a value, itself included.
func (v Value) count() int {
	v.node = v.whole()
	n := 1
	for _, item := range v.Items() {
		n += item.count()
	}
	for _, m := range v.Members() {
		n += m.Value.count()
	}
	return n
}

// compileText runs the library. Its numbers went through Parse, so none is large
// enough to fill the memory when the library makes a big.Rat of it.
func compileText(v Value) (s *jsonschema.Schema, err error) {
	// The library panics on some schemas whose $id contradict one another.
	defer func() {
		if recover() != nil {
			err = errors.New("the schema contradicts itself ($id, $anchor and $ref do not fit together)")
		}
	}()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(nil)
	c.UseRegexpEngine(compilePattern)
	if err := c.AddResource(schemaURL, v.Any()); err != nil {
		return nil, err
	}
	return c.Compile(schemaURL)
}

// pattern is a regular expression that knows its size, for the budget.
type pattern struct {
	*regexp.Regexp
	steps int
}

func compilePattern(text string) (jsonschema.Regexp, error) {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	if len(program.Inst) > maxPatternSteps {
		return nil, errors.New("the regular expression is too large")
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	return pattern{Regexp: re, steps: len(program.Inst)}, nil
}

// schemaFaults words what the library found.
func schemaFaults(err error) Faults {
	if invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		if tree, ok := errors.AsType[*jsonschema.ValidationError](invalid.Err); ok {
			var faults Faults
			_, fragment, _ := strings.Cut(invalid.URL, "#")
			leaves(&faults, schemaPointer(fragment), tree)
			return faults
		}
	}
	detail := strings.ReplaceAll(err.Error(), schemaURL+"#", "#")
	if load, ok := errors.AsType[*jsonschema.LoadURLError](err); ok {
		detail = fmt.Sprintf("it needs %q, but no other document is loaded: a $ref must lead to a place in the schema itself (#/...)",
			strings.TrimPrefix(load.URL, "tidings:///"))
	}
	return Faults{{"/schema", detail}}
}

// leaves notes what is at the ends of the library's tree of errors.
func leaves(faults *Faults, base string, e *jsonschema.ValidationError) {
	for _, cause := range e.Causes {
		leaves(faults, base, cause)
	}
	if len(e.Causes) > 0 {
		return
	}
	pointer := []byte(base)
	for _, token := range e.InstanceLocation {
		pointer = appendToken(pointer, token)
	}
	detail := "not a JSON Schema"
	if out := e.BasicOutput(); out.Error != nil {
		detail += ": " + out.Error.String()
	}
	faults.add(string(pointer), detail)
}

// schemaPointer is where a fragment of the schema is in the notification.
func schemaPointer(fragment string) string {
	if text, err := url.PathUnescape(fragment); err == nil {
		fragment = text
	}
	return "/schema" + fragment
}
