package transforms

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/internal/dofn"
	"github.com/cartstream/cartstream/transforms/decimal"
)

// settings are rules with settings of S.
type settings[S any] struct{ S S }

func (settings[S]) Apply(_ time.Time, v int) (int, error) { return v, nil }

// check is what RegisterRules checks about R. The rest of it takes the
// compiler seconds for each R.
func check[R Rules[int]]() (message string) {
	if err := dofn.CheckSetting(reflect.TypeFor[validateFn[int, R]](), "Rules"); err != nil {
		message = err.Error()
	}
	return message
}

type (
	secret struct{ limit int }
	beside struct{ Limit, used int }
	unsaid struct {
		Limit int `json:"-"`
	}
	everything struct {
		Most    decimal.Decimal
		Least   *decimal.Decimal
		Names   []string
		Codes   map[string]bool
		Pattern *regexp.Regexp
		Others  []*regexp.Regexp
		Since   time.Time
		Within  time.Duration
		Nested  struct{ Share float64 }
	}
)

func (secret) Apply(_ time.Time, v int) (int, error) { return v, nil }

// A setting that does not reach the workers would make one runner judge
// otherwise than another.
func TestRegisterRulesRefuses(t *testing.T) {
	_, _ = secret{}.limit, beside{}.used
	const lost = " is lost or changed on its way to the workers, as JSON: export it"
	for _, c := range []struct{ name, got, want string }{
		{"an unexported field", check[secret](), "transforms.secret.limit" + lost},
		{"a pointer to such rules", check[*secret](), "transforms.secret.limit" + lost},
		{"an unexported field beside others", check[settings[beside]](), "S.used" + lost},
		{"a field that is no part of the JSON", check[settings[unsaid]](), "S.Limit" + lost},
		{"one in a list", check[settings[[]beside]](), "S[0].used" + lost},
		{"one in a map", check[settings[map[string]beside]](), "S" + lost},
		{"a value of any type", check[settings[any]](), "S" + lost},
		{"an interface", check[settings[fmt.Stringer]](), "S" + lost},
		{"a function", check[settings[func() int]](), "can't go to the workers as JSON: json: unsupported type: func() int"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(c.got, c.want) {
				t.Errorf("got %q, want %q", c.got, c.want)
			}
		})
	}
	defer func() {
		if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "transforms: transforms.secret.limit") {
			t.Errorf("RegisterRules panics with %q", got)
		}
	}()
	RegisterRules[int, secret]()
}

func TestRegisterRulesTakes(t *testing.T) {
	for name, got := range map[string]string{
		"nothing": check[settings[struct{}]](), "all that JSON keeps": check[settings[everything]](), "a pointer": check[*settings[everything]](),
	} {
		if got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}
