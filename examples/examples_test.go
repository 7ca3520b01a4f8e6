package examples

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ofInterfaces are methods of the standard library's interfaces.
var ofInterfaces = []string{"Error", "Unwrap", "String", "UnmarshalText", "MarshalText"}

// TestEveryFunctionHasAnExample holds for the functions and methods of the
// library that are no options; those are shown where they are used.
func TestEveryFunctionHasAnExample(t *testing.T) {
	for _, dir := range []string{"io/watchio", "io/csvio", "io/postgresio", "transforms", "transforms/decimal", "transforms/record"} {
		files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		var parsed []*ast.File
		fset := token.NewFileSet()
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			file, err := parser.ParseFile(fset, f, text, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, file)
		}
		p, err := doc.NewFromFiles(fset, parsed, "github.com/cartstream/cartstream/"+dir)
		if err != nil {
			t.Fatal(err)
		}
		functions := p.Funcs
		for _, typ := range p.Types {
			functions = append(append(functions, typ.Funcs...), typ.Methods...)
		}
		for _, f := range functions {
			isOption := f.Recv == "" && strings.HasPrefix(f.Name, "With")
			if len(f.Examples) == 0 && !isOption && !slices.Contains(ofInterfaces, f.Name) {
				t.Errorf("%s.%s%s has no example", p.Name, f.Recv, f.Name)
			}
		}
	}
}
