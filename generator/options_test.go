package generator

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestDefaultOptions(t *testing.T) {
	o := DefaultOptions()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	if o.OutputPath != "data/incoming" || o.BatchSize != 100 || o.Interval != 5*time.Second {
		t.Errorf("got %+v", o)
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Options)
		// field and bound must stand in the message; no field: it is allowed.
		field, bound string
	}{
		{"no output path", func(o *Options) { o.OutputPath = "" }, "OutputPath", "folder"},
		{"no events in a file", func(o *Options) { o.BatchSize = 0 }, "BatchSize", "1 or more"},
		{"negative batch", func(o *Options) { o.BatchSize = -1 }, "BatchSize", "1 or more"},
		{"one event in a file", func(o *Options) { o.BatchSize = 1 }, "", ""},
		{"negative interval", func(o *Options) { o.Interval = -time.Second }, "Interval", "0 (no pause) or more"},
		{"no pause", func(o *Options) { o.Interval = 0 }, "", ""},
		{"negative files", func(o *Options) { o.Files = -1 }, "Files", "0 (no bound) or more"},
		{"negative count", func(o *Options) { o.Count = -1 }, "Count", "0 (no bound) or more"},
		{"negative rate", func(o *Options) { o.Rate = -1 }, "Rate", "0 (no bound) or more"},
		{"rate not a number", func(o *Options) { o.Rate = math.NaN() }, "Rate", "0 (no bound) or more"},
		{"infinite rate", func(o *Options) { o.Rate = math.Inf(1) }, "Rate", "0 (no bound) or more"},
		{"tiny rate", func(o *Options) { o.Rate = 1e-300 }, "", ""},
		{"start in the future", func(o *Options) { o.Start = time.Now().Add(time.Hour) }, "Start", "not be later than now"},
		{"start before 1970", func(o *Options) { o.Start = time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC) }, "Start", "1970-01-02"},
		{"start in another zone", func(o *Options) { o.Start = start.In(time.FixedZone("", 3600)) }, "", ""},
		{"negative duplicates", func(o *Options) { o.DuplicateRate = -0.1 }, "DuplicateRate", "between 0 and 1"},
		{"too many invalid", func(o *Options) { o.InvalidRate = 1.1 }, "InvalidRate", "between 0 and 1"},
		{"corrupt not a number", func(o *Options) { o.CorruptRate = math.NaN() }, "CorruptRate", "between 0 and 1"},
		{"percent for a share", func(o *Options) { o.FutureRate = 5 }, "FutureRate", "between 0 and 1"},
		{"all invalid", func(o *Options) { o.InvalidRate = 1 }, "", ""},
		{"more than everything", func(o *Options) { o.InvalidRate, o.CorruptRate = 0.6, 0.6 }, "InvalidRate", "1 or less"},
		{"just everything", func(o *Options) {
			o.DuplicateRate, o.InvalidRate, o.CorruptRate, o.FutureRate = 0.7, 0.1, 0.1, 0.1
		}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := DefaultOptions()
			tt.change(&o)
			err := o.Validate()
			if tt.field == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			var e *OptionError
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an OptionError", err)
			}
			if !strings.Contains(err.Error(), tt.field) || !strings.Contains(err.Error(), tt.bound) {
				t.Errorf("message %q does not name %s and its bound, %s", err, tt.field, tt.bound)
			}
		})
	}
}
