package api_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestProblemCodesAreDocumented reads the source for (code, status) and the document's responses for the same.
func TestProblemCodesAreDocumented(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	documented := map[string]bool{}
	for name, response := range c.doc.Components.Responses {
		schema := response.Value.Content["application/problem+json"].Schema.Value
		var codes, status any
		for _, part := range schema.AllOf { // the keywords beside the $ref to Problem
			if code := part.Value.Properties["code"]; code != nil && len(code.Value.Enum) > 0 {
				codes, status = code.Value.Enum, part.Value.Properties["status"].Value.Const
			}
		}
		list, _ := codes.([]any)
		if len(list) == 0 {
			t.Errorf("response %s lists no codes", name)
		}
		for _, code := range list {
			documented[fmt.Sprint(code, " ", status)] = true
		}
	}
	inSource := problemsOf(t)
	for pair := range inSource {
		if !documented[pair] {
			t.Errorf("%s is in the source, and not in the document", pair)
		}
	}
	for pair := range documented {
		if !inSource[pair] {
			t.Errorf("%s is in the document, and not in the source", pair)
		}
	}
	// What belongs to no operation is told in the text.
	for code, where := range map[string]string{
		"no_route": c.doc.Info.Description, "method_not_allowed": c.doc.Info.Description,
		"cross_origin": c.doc.Tags.Get("operation").Description,
	} {
		if !strings.Contains(where, code) {
			t.Errorf("%s is told nowhere", code)
		}
	}
}

// problemsOf finds the first two arguments of every problem(...), and the rows of the table kinds.
func problemsOf(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	note := func(at token.Position, status, code ast.Expr) {
		text, ok := code.(*ast.BasicLit)
		if !ok {
			if s, isField := code.(*ast.SelectorExpr); !isField || s.Sel.Name != "code" { // problemOf goes through kinds
				t.Errorf("%s: the code is no literal, and this test cannot read it", at)
			}
			return
		}
		name, err := strconv.Unquote(text.Value)
		if err != nil {
			t.Fatal(err)
		}
		found[fmt.Sprint(name, " ", statusOf(t, at, status))] = true
	}
	inspect(t, "*.go", func(files *token.FileSet, n ast.Node) {
		switch n := n.(type) {
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.Ident); ok && fn.Name == "problem" {
				note(files.Position(n.Pos()), n.Args[0], n.Args[1])
			}
		case *ast.ValueSpec:
			if n.Names[0].Name != "kinds" {
				return
			}
			for _, row := range n.Values[0].(*ast.CompositeLit).Elts {
				fields := row.(*ast.CompositeLit).Elts
				note(files.Position(row.Pos()), fields[1], fields[2])
			}
		}
	})
	return found
}

func statusOf(t *testing.T, at token.Position, expr ast.Expr) int {
	t.Helper()
	switch expr := expr.(type) {
	case *ast.BasicLit:
		if n, err := strconv.Atoi(expr.Value); err == nil {
			return n
		}
	case *ast.SelectorExpr: // http.StatusNotFound: the names are those of StatusText
		for status := 400; status < 600; status++ {
			if text := http.StatusText(status); text != "" && "Status"+strings.ReplaceAll(text, " ", "") == expr.Sel.Name {
				return status
			}
		}
	}
	t.Errorf("%s: this test cannot read the status", at)
	return 0
}

// inspect walks the Go files of a pattern, tests aside.
func inspect(t *testing.T, pattern string, visit func(*token.FileSet, ast.Node)) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	files, read := token.NewFileSet(), 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		read++
		ast.Inspect(file, func(n ast.Node) bool {
			if n != nil {
				visit(files, n)
			}
			return true
		})
	}
	if read == 0 {
		t.Fatalf("no source at %s", pattern)
	}
}
