package jobserver

import (
	"fmt"
	"reflect"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/typex"
)

// FlinkTicks returns an element ([]byte) each interval, for ever, from each of
// the job's parallel sources: Flink's own streaming impulse
// (flink:transform:streaming_impulse:v1). It keeps no state.
func FlinkTicks(s beam.Scope, interval time.Duration) beam.PCollection {
	s = s.Scope("jobserver.FlinkTicks")
	payload := fmt.Appendf(nil, `{"interval_ms": %d}`, interval.Milliseconds())
	ticks := []typex.FullType{typex.New(reflect.TypeFor[[]byte]())}
	return beam.External(s, "flink:transform:streaming_impulse:v1", payload, nil, ticks, false)[0]
}
