package csvio

import (
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cartstream/cartstream/internal/dofn"
	"github.com/cartstream/cartstream/transforms/decimal"
	"github.com/cartstream/cartstream/transforms/record"
)

// panics returns the message of f's panic.
func panics(t *testing.T, f func()) (message string) {
	t.Helper()
	defer func() { message = fmt.Sprint(recover()) }()
	f()
	return
}

type (
	hidden struct {
		a string `csv:"a"`
	}
	twice struct {
		A string `csv:"a"`
		B int    `csv:"a"`
	}
	wrongType struct {
		A chan int `csv:"a"`
	}
	wrongPointer struct {
		A **int `csv:"a"`
	}
	noTags    struct{ A string }
	wrongName struct {
		A string `csv:" a"`
	}
	noName struct {
		A string `csv:",optional"`
	}
	wrongOption struct {
		A string `csv:"a,omitempty"`
	}
	noDate struct {
		A string `csv:"a,date"`
	}
	inner struct {
		A string `csv:"a"`
	}
	embedded struct {
		inner
		B string `csv:"b"`
	}
	lostInside struct {
		A big.Int `csv:"a"`
	}
	lostPointer struct {
		A *big.Int `csv:"a"`
	}
	lostBeside struct {
		A     string `csv:"a"`
		notes string
	}
	lostFraction struct {
		A big.Rat `csv:"a"`
	}
)

// check is what Register checks about T. The rest of Register takes the
// compiler seconds for each T.
func check[T any]() {
	mustSchema[T]()
	if err := dofn.CheckElement(reflect.TypeFor[record.Record[T]](), "Value"); err != nil {
		panic(fmt.Errorf("csvio: %w", err))
	}
}

func TestRegisterRefuses(t *testing.T) {
	_, _ = hidden{}.a, lostBeside{}.notes
	for _, c := range []struct {
		name     string
		register func()
		want     string
	}{
		{"no struct", check[int], "int is no struct"},
		{"a pointer", check[*abc], "*csvio.abc is no struct"},
		{"no tags", check[noTags], "csvio.noTags has no field with a csv:\"column\" tag"},
		{"an unexported field", check[hidden], "csvio.hidden.a: the field has a csv tag and is not exported: export it"},
		{"a name twice", check[twice], `csvio.twice.B: column "a" is named twice (the other field has type string): give each field a name of its own`},
		{"a type that is no text", check[wrongType], "csvio.wrongType.A: type chan int can't be read from text: use string, bool"},
		{"a pointer to a pointer", check[wrongPointer], "type **int can't be read from text"},
		{"a name with space around it", check[wrongName], `tag csv:" a" names no column: write csv:"column"`},
		{"no name", check[noName], `tag csv:",optional" names no column`},
		{"an unknown option", check[wrongOption], `tag csv:"a,omitempty": the options are optional, date and timestamp, as in csv:"a,optional"`},
		{"a date that is no time", check[noDate], `tag csv:"a,date": the type string is not time.Time, which the option date needs`},
		{"an embedded struct with tags", check[embedded], "csvio.embedded.inner is embedded and has csv tags inside: write its fields into csvio.embedded itself"},
		{"a type that loses its content", check[lostInside], "csvio.lostInside.A"},
		{"a pointer to one", check[lostPointer], "csvio.lostPointer.A"},
		{"a field that is not exported", check[lostBeside], "csvio.lostBeside.notes"},
		{"a fraction that loses its content", check[lostFraction], "csvio.lostFraction.A"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := panics(t, c.register); !strings.HasPrefix(got, "csvio: ") || !strings.Contains(got, c.want) {
				t.Errorf("the message is %q, want %q", got, c.want)
			}
		})
	}
}

type everything struct {
	S  string           `csv:"s"`
	C  color            `csv:"color"`
	B  bool             `csv:"b"`
	I  int              `csv:"i"`
	I8 int8             `csv:"i8"`
	U  uint64           `csv:"u"`
	F  float32          `csv:"f"`
	T  time.Time        `csv:"t"`
	D  decimal.Decimal  `csv:"d"`
	ID uuid.UUID        `csv:"id"`
	Y  []byte           `csv:"y"`
	E  encoded          `csv:"e"`
	PS *string          `csv:"ps"`
	PT *time.Time       `csv:"pt"`
	PD *decimal.Decimal `csv:"pd"`
	PI *uuid.UUID       `csv:"pi"`
	PB *bool            `csv:"pb"`
	X  map[string]int
	L  []string `csv:"-"`
}

func TestRegisterTakes(t *testing.T) {
	for _, c := range []struct {
		name     string
		register func()
	}{
		{"every type", check[everything]},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := panics(t, c.register); got != "<nil>" {
				t.Error(got)
			}
		})
	}
}

func TestOptionsRefuse(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  Option
		want string
	}{
		{"ranges of no bytes", WithMaxRangeBytes(0), "csvio: the bound of a range is 0 bytes, want 1 or more"},
		{"ranges of no records", WithMaxRangeRecords(-1), "csvio: the bound of a range is -1 records, want 1 or more"},
		{"records of no bytes", WithMaxRecordBytes(0), "csvio: the bound of a record is 0 bytes, want 1 to 1073741824"},
		{"records beyond memory", WithMaxRecordBytes(1 << 40), "csvio: the bound of a record is 1099511627776 bytes, want 1 to 1073741824"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := panics(t, func() { Fingerprint[abc](c.opt) }); got != c.want {
				t.Errorf("the message is %q, want %q", got, c.want)
			}
		})
	}
}
