package pipeline

import (
	"flag"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(withBeam{m}) }

// withBeam starts Beam before the tests.
type withBeam struct{ *testing.M }

func (w withBeam) Run() int {
	flag.Parse()
	beam.Init()
	return w.M.Run()
}
