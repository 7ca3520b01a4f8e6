package examples

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryFunctionHasAnExample holds for the functions of the library that are
// no options; those are shown where they are used.
func TestEveryFunctionHasAnExample(t *testing.T) {
	for _, dir := range []string{"io/watchio", "io/csvio", "io/postgresio", "transforms"} {
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
			functions = append(functions, typ.Funcs...)
		}
		for _, f := range functions {
			if len(f.Examples) == 0 && !strings.HasPrefix(f.Name, "With") {
				t.Errorf("%s.%s has no example", p.Name, f.Name)
			}
		}
	}
}
