package bench

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// A flame graph as a picture that stands in a document: every function is as wide as the CPU time in it and in what it
// called, which hangs below it. go tool pprof draws the same in a browser, and nothing that could be kept.

const (
	flameWidth  = 1200 // pixels, all samples together
	flameRow    = 16
	flameHead   = 46   // above the first row
	flameMost   = 1000 // frames; the narrowest beyond that are left out, with all below them
	flameLetter = 6.3
)

// frame is a function in one place of the graph.
type frame struct {
	name  string
	ns    int64
	calls map[string]*frame
}

func (f *frame) called(name string) *frame {
	if f.calls == nil {
		f.calls = map[string]*frame{}
	}
	if f.calls[name] == nil {
		f.calls[name] = &frame{name: name}
	}
	return f.calls[name]
}

// widest returns the least CPU time of so many frames; those that tie with more are left out.
func (f *frame) widest(n int) int64 {
	var all []int64
	var collect func(f *frame)
	collect = func(f *frame) {
		for _, c := range f.calls {
			all = append(all, c.ns)
			collect(c)
		}
	}
	collect(f)
	if len(all) <= n {
		return 0
	}
	slices.SortFunc(all, func(a, b int64) int { return cmp.Compare(b, a) })
	return all[n] + 1
}

// Flame reads a CPU profile and writes its flame graph to a file.
func Flame(from, to, title string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	p, err := profile.Parse(in)
	if err != nil {
		return fmt.Errorf("read the profile: %w", err)
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if err := writeFlame(out, p, title); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}

// stacks turns samples into a tree; its root is the whole.
func stacks(p *profile.Profile) *frame {
	root := &frame{}
	value := len(p.SampleType) - 1 // of a CPU profile: nanoseconds
	for _, s := range p.Sample {
		at := root
		at.ns += s.Value[value]
		for _, location := range slices.Backward(s.Location) { // the first is the innermost
			for _, line := range slices.Backward(location.Line) { // as above, of what was inlined
				at = at.called(line.Function.Name)
				at.ns += s.Value[value]
			}
		}
	}
	return root
}

func writeFlame(to io.Writer, p *profile.Profile, title string) error {
	root := stacks(p)
	if root.ns == 0 {
		return fmt.Errorf("the profile has no samples")
	}
	d := &drawing{perNs: flameWidth / float64(root.ns), whole: root.ns, least: root.widest(flameMost)}
	d.row(root, 0, 0)
	height := flameHead + (d.deepest+1)*flameRow
	var head strings.Builder
	fmt.Fprintf(&head, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="monospace" font-size="10.5">`+"\n<style>", flameWidth, height)
	for _, kind := range flameKinds {
		fmt.Fprintf(&head, ".%s{fill:%s}", kind.class, kind.colour)
	}
	fmt.Fprintf(&head, "rect{stroke:#fff;stroke-width:.5}</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text x=\"4\" y=\"15\" font-size=\"13\">%s: %s of CPU in %s</text>\n",
		escaped(title), time.Duration(root.ns).Round(10*time.Millisecond), time.Duration(p.DurationNanos).Round(10*time.Millisecond))
	x := 4
	for _, kind := range flameKinds {
		fmt.Fprintf(&head, `<rect class="%s" x="%d" y="23" width="12" height="12"/><text x="%d" y="33">%s</text>`+"\n", kind.class, x, x+16, kind.name)
		x += 34 + int(flameLetter*float64(len(kind.name)))
	}
	_, err := io.WriteString(to, head.String()+d.text.String()+"</svg>\n")
	return err
}

type drawing struct {
	text    strings.Builder
	perNs   float64
	whole   int64
	least   int64 // ns of a frame that is drawn
	deepest int
}

// row draws what a frame calls, the widest first, and what hangs below.
func (d *drawing) row(f *frame, x float64, depth int) {
	var calls []*frame
	for _, c := range f.calls {
		calls = append(calls, c)
	}
	slices.SortFunc(calls, func(a, b *frame) int { return cmp.Or(cmp.Compare(b.ns, a.ns), cmp.Compare(a.name, b.name)) })
	for _, c := range calls {
		if c.ns < d.least {
			return
		}
		d.deepest = max(d.deepest, depth)
		width := float64(c.ns) * d.perNs
		y, name := flameHead+depth*flameRow, spoken(c.name)
		fmt.Fprintf(&d.text, `<g><title>%s %.1f%%</title><rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d"/>`,
			escaped(name), 100*float64(c.ns)/float64(d.whole), flameClass(c.name), x, y, width, flameRow)
		if letters := int((width - 4) / flameLetter); letters >= 4 {
			fmt.Fprintf(&d.text, `<text x="%.1f" y="%d">%s</text>`, x+2, y+12, escaped(shortened(name, letters)))
		}
		d.text.WriteString("</g>\n")
		d.row(c, x, depth+1)
		x += width
	}
}

var version = regexp.MustCompile(`/v\d+\.`)

// spoken is a function's name as people say it: the last part of its package, without type arguments and signs.
func spoken(name string) string {
	name, _, _ = strings.Cut(name, "[")
	return strings.NewReplacer("(*", "", ")", "").Replace(path.Base(version.ReplaceAllString(name, ".")))
}

func shortened(name string, letters int) string {
	if len(name) <= letters {
		return name
	}
	return name[:letters-1] + "…"
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

// flameKinds are whose the code is, by the beginning of its name; the last is everybody else's.
var flameKinds = []struct{ class, name, colour, prefix string }{
	{"t", "Tidings", "#8fb8e8", "github.com/tidings/"},
	{"a", "Asynq", "#f2b872", "github.com/hibiken/"},
	{"r", "go-redis", "#ee9a95", "github.com/redis/"},
	{"h", "net/http", "#9fd3a0", "net/http"},
	{"g", "Go runtime", "#d4d4d4", "runtime"},
	{"s", "system calls", "#bdbdbd", "internal/runtime/syscall"},
	{"o", "other", "#ead98b", ""},
}

func flameClass(name string) string {
	for _, kind := range flameKinds[:len(flameKinds)-1] {
		if strings.HasPrefix(name, kind.prefix) {
			return kind.class
		}
	}
	return flameKinds[len(flameKinds)-1].class
}
