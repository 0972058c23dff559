package scope_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/tidings/tidings/scope"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`null`: "null", `true`: "boolean", `1`: "number", `""`: "string", `[]`: "array", `{}`: "object",
	} {
		if got := parse(t, text).Kind().String(); got != want {
			t.Errorf("%s is of kind %s, want %s", text, got, want)
		}
	}
	if v := (scope.Value{}); v.Kind().String() != "absent" || !v.IsAbsent() {
		t.Errorf("the zero value is of kind %s", v.Kind())
	}
}

func TestIsNothing(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`null`: true, `[]`: true, `{}`: true, `{"a":{"b":null,"c":[]}}`: true,
		`false`: false, `0`: false, `""`: false, `[null]`: false, `{"a":{"b":0}}`: false,
	} {
		if got := parse(t, text).IsNothing(); got != want {
			t.Errorf("%s is nothing = %v, want %v", text, got, want)
		}
	}
	if !(scope.Value{}).IsNothing() {
		t.Error("absent is not nothing")
	}
}

func TestScalars(t *testing.T) {
	t.Parallel()
	v := parse(t, `{"s":"a\n\u00e9\ud83d\ude00","t":true,"f":false,"n":1.50,"z":null}`)
	if text, ok := v.Member("s").Text(); text != "a\né😀" || !ok {
		t.Errorf("text = %q, %v", text, ok)
	}
	if b, ok := v.Member("t").Bool(); !b || !ok {
		t.Errorf("true = %v, %v", b, ok)
	}
	if b, ok := v.Member("f").Bool(); b || !ok {
		t.Errorf("false = %v, %v", b, ok)
	}
	if n, ok := v.Member("n").Number(); n != "1.50" || !ok {
		t.Errorf("number = %q, %v", n, ok)
	}
	for _, other := range []scope.Value{v, v.Member("z"), v.Member("none"), parse(t, `["true"]`)} {
		_, isText := other.Text()
		_, isBool := other.Bool()
		_, isNumber := other.Number()
		_, isInt := other.Int()
		if isText || isBool || isNumber || isInt || !other.Member("x").IsAbsent() {
			t.Errorf("%s passes for a scalar or has a member x", other.JSON())
		}
	}
}

func TestInt(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"-0.00e5", 0, true}, {"10", 10, true}, {"10.0", 10, true}, {"1e1", 10, true}, {"-120e-1", -12, true},
		{"9223372036854775807", 1<<63 - 1, true}, {"-9223372036854775808", -1 << 63, true},
		{"9223372036854775808", 0, false}, {"1e19", 0, false}, {"1e400", 0, false}, {"1.5", 0, false}, {"1e-1", 0, false},
	} {
		if n, ok := parse(t, row.text).Int(); n != row.want || ok != row.ok {
			t.Errorf("%s is the whole number %d, %v; want %d, %v", row.text, n, ok, row.want, row.ok)
		}
	}
}

func TestConstructors(t *testing.T) {
	t.Parallel()
	m := func(name string, v scope.Value) scope.Member { return scope.Member{Name: name, Value: v} }
	for _, row := range []struct {
		v    scope.Value
		want string
	}{
		{scope.Value{}, `null`}, {scope.Null, `null`}, {scope.Bool(true), `true`}, {scope.Bool(false), `false`},
		{scope.String("a&b<c>\"\\\n\x01é\u2028"), "\"a&b<c>\\\"\\\\\\n\\u0001é\u2028\""},
		{scope.String("\xff"), "\"\ufffd\""},
		{scope.Number("1.50"), `1.50`},
		{scope.Number("1e999999999"), `null`}, {scope.Number("01"), `null`}, {scope.Number(`"1"`), `null`}, // refused: absent
		{scope.Array(), `[]`}, {scope.Array(scope.Null, scope.Value{}, scope.Array()), `[null,null,[]]`},
		{scope.Object(), `{}`},
		{scope.Object(m("a", scope.Bool(true)), m("b", scope.Value{}), m("a", scope.Null)), `{"a":null}`},
		{scope.Object(m(`q"`, scope.Null), m("n\n", scope.Null), m("p", scope.Null)), `{"q\"":null,"n\n":null,"p":null}`},
	} {
		if got := string(row.v.JSON()); got != row.want {
			t.Errorf("built %s, want %s", got, row.want)
		}
		if again := parse(t, string(row.v.JSON())); !scope.Equal(again, row.v) {
			t.Errorf("%s does not equal what it is written as", row.want)
		}
	}
}

func TestWithAndWithout(t *testing.T) {
	t.Parallel()
	v := parse(t, `{"a": 1, "\u0062": 2.0, "c": {"d": 1}}`)
	for _, row := range []struct {
		got  scope.Value
		want string
	}{
		{v.With("b", scope.String("x")), `{"a":1,"\u0062":"x","c":{"d":1}}`}, // in place, the name as written
		{v.With("e\"", scope.Null), `{"a":1,"\u0062":2.0,"c":{"d":1},"e\"":null}`},
		{v.With("a", scope.Value{}), `{"\u0062":2.0,"c":{"d":1}}`},
		{v.Without("a", "none", "c"), `{"\u0062":2.0}`},
		{v.Without("a", "b", "c"), `{}`},
		{v.Without(), `{"a":1,"\u0062":2.0,"c":{"d":1}}`},
		{scope.Value{}.With("a", scope.Null), `{"a":null}`},
		{scope.String("x").With("a", scope.Null), `{"a":null}`},
		{parse(t, `[1]`).With("a", scope.Null), `{"a":null}`},
		{parse(t, `[1]`).Without("a"), `[1]`},
		{v, `{"a":1,"\u0062":2.0,"c":{"d":1}}`}, // and v is what it was
	} {
		if got := string(row.got.JSON()); got != row.want {
			t.Errorf("got %s, want %s", got, row.want)
		}
	}
}

// Objects with many members are found through an index; it must stay right however
// the object came to be.
func TestLargeObjects(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, `,"m%d":%d`, i, i)
	}
	v := parse(t, `{`+b.String()[1:]+`}`)
	built := scope.Object(v.Members()...)
	less := v.Without("m0", "m50")
	more := less.With("m0", scope.Number("7")).With("m99", scope.Null)
	for i := range 100 {
		name, want := fmt.Sprintf("m%d", i), fmt.Sprint(i)
		for _, whole := range []scope.Value{v, built} {
			if got := string(whole.Member(name).JSON()); got != want {
				t.Fatalf("%s = %s", name, got)
			}
		}
		if gone := i == 0 || i == 50; less.Member(name).IsAbsent() != gone {
			t.Errorf("%s gone = %v", name, !gone)
		}
	}
	if got := string(more.JSON()); !strings.HasSuffix(got, `"m98":98,"m99":null,"m0":7}`) {
		t.Errorf("got ...%s", got[len(got)-40:])
	}
	twice := `{` + b.String()[1:] + `,"m99":1,"m0":2}`
	if _, faults := scope.Parse([]byte(twice), scope.Limits{}); pointersOf(faults) != "/m99 /m0" {
		t.Errorf("names that occur twice: %q", pointersOf(faults))
	}
}

func TestMarshalJSON(t *testing.T) {
	t.Parallel()
	order := struct {
		Order scope.Value `json:"order"`
	}{parse(t, `{"url": "a&b", "n": 1.0}`)}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(order); err != nil || out.String() != `{"order":{"url":"a&b","n":1.0}}`+"\n" {
		t.Errorf("encoded %s, %v", out.String(), err)
	}
}

func TestUnmarshalJSON(t *testing.T) {
	t.Parallel()
	var kept struct {
		Order  scope.Value `json:"order,omitzero"`
		Before scope.Value `json:"before,omitzero"`
	}
	if err := json.Unmarshal([]byte(`{"order":{"n": 1.0}}`), &kept); err != nil || string(kept.Order.JSON()) != `{"n":1.0}` {
		t.Errorf("read %s, %v", kept.Order.JSON(), err)
	}
	if text, err := json.Marshal(kept); err != nil || string(text) != `{"order":{"n":1.0}}` {
		t.Errorf("written back as %s, %v", text, err) // absent is left out, not null
	}
	if err := json.Unmarshal([]byte(`{"order":1e999}`), &kept); err == nil {
		t.Error("takes what Parse refuses")
	}
}

// What is no array has no items, what is no object no members, also when read
// from one document that has both.
func TestMembersAndItems(t *testing.T) {
	t.Parallel()
	v := parse(t, `{"a":[[1],{"b":2}],"c":{"d":[3]}}`)
	list, object := v.Member("a"), v.Member("c")
	if v.Items() != nil || object.Items() != nil || list.Members() != nil || list.Items()[0].Members() != nil {
		t.Error("an object has items or an array members")
	}
	if len(list.Items()) != 2 || len(object.Members()) != 1 || len(v.Members()) != 2 {
		t.Error("items or members are missing")
	}
	// Adding to what was read must not write over its neighbours.
	_ = append(list.Items()[0].Items(), scope.Null)
	_ = append(object.Members(), scope.Member{Name: "x", Value: scope.Null})
	if got := string(rebuild(v).JSON()); got != `{"a":[[1],{"b":2}],"c":{"d":[3]}}` {
		t.Errorf("became %s", got)
	}
}

func TestAny(t *testing.T) {
	t.Parallel()
	want := map[string]any{"a": []any{json.Number("1.0"), "é", true, nil, map[string]any{}}, "b": []any{}}
	if got := parse(t, `{"a":[1.0,"\u00e9",true,null,{}],"b":[]}`).Any(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
	if got := (scope.Value{}).Any(); got != nil {
		t.Errorf("absent is %#v", got)
	}
}
