package pipeline

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/cartstream/cartstream/io/csvio"
	"github.com/cartstream/cartstream/io/postgresio"
)

const (
	maxCount    = 1_000_000_000
	maxDuration = 10 * 365 * 24 * time.Hour

	allowedCount    = "a whole number from 1 to 1000000000"
	allowedLimit    = "a whole number from 0, which is no limit, to 1000000000"
	allowedLines    = "a whole number from 0 to 1000000000"
	allowedDuration = "a time from 0 to ten years, as in " + exampleDurations
	allowedText     = "a text that is not empty"
	allowedTexts    = "a text that is not empty, or a list of such"
	allowedChar     = `one ASCII character, or tab, or "" for none`
	allowedBool     = "true or false"
	allowedBytes    = `a number of bytes, also with a unit, as in 64 MiB, 500 kB or 1 GB; 0 for no bound`
	allowedURL      = "a text of the form postgres://user@host:5432/database"
)

// unlike says what was found and what is allowed.
func unlike(n *yaml.Node, allowed string) error {
	return fmt.Errorf("found %s; allowed is %s", describe(n), allowed)
}

// textOf returns a text. What YAML takes for null, a number or one of its own
// marks is none: it must be in quotes.
func textOf(n *yaml.Node, allowed string) (string, error) {
	if n.Kind != yaml.ScalarNode {
		return "", unlike(n, allowed)
	}
	mark := ""
	switch {
	case n.Value == "" && n.Style&yaml.LiteralStyle != 0:
		mark = "|"
	case n.Value == "" && n.Style&yaml.FoldedStyle != 0:
		mark = ">"
	case n.ShortTag() == "!!str":
		return n.Value, nil
	case n.Value == "":
		return "", fmt.Errorf("%w; a mark of YAML's own, such as # or !, must be in quotes", unlike(n, allowed))
	}
	found := shorten(n.Value + mark)
	return "", fmt.Errorf("found %s without quotes, which YAML does not take for a text; allowed is %s: write %q, with the quotes", found, allowed, found)
}

// textSetting takes a text that check, where it is given, agrees with.
func textSetting(to *string, check func(string) error) settingsValue {
	set := func(n *yaml.Node) error {
		text, err := textOf(n, allowedText)
		if err != nil {
			return err
		}
		if strings.TrimSpace(text) == "" {
			return unlike(n, allowedText)
		}
		if check != nil {
			if err := check(text); err != nil {
				return err
			}
		}
		*to = text
		return nil
	}
	return settingsValue{set: set, get: func() string { return *to }, variable: literal}
}

// textsSetting takes a text, or a list of texts, that check agrees with.
func textsSetting(to *[]string, check func(string) error) settingsValue {
	set := func(n *yaml.Node) error {
		nodes := []*yaml.Node{n}
		if n.Kind == yaml.SequenceNode {
			nodes = n.Content
		}
		var texts []string
		for _, item := range nodes {
			var text string
			if err := textSetting(&text, check).set(target(item)); err != nil {
				return err
			}
			texts = append(texts, text)
		}
		if len(texts) == 0 {
			return unlike(n, allowedTexts)
		}
		*to = texts
		return nil
	}
	return settingsValue{set: set, get: func() string { return strings.Join(*to, ", ") }, variable: literalOrList}
}

// charSetting takes one character; an empty text is none.
func charSetting(to *byte) settingsValue {
	set := func(n *yaml.Node) error {
		text, err := textOf(n, allowedChar)
		if err != nil {
			return err
		}
		*to, err = csvio.ParseChar(text)
		return err
	}
	get := func() string {
		if *to == 0 {
			return ""
		}
		return strings.Trim(strconv.QuoteRune(rune(*to)), "'")
	}
	return settingsValue{set: set, get: get, variable: literal}
}

func boolSetting(to *bool) settingsValue {
	set := func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
			return unlike(n, allowedBool)
		}
		return n.Decode(to)
	}
	return settingsValue{set: set, get: func() string { return strconv.FormatBool(*to) }, variable: plain}
}

var (
	byteSize  = regexp.MustCompile(`^([0-9]{1,18}) *([A-Za-z]*)$`)
	byteUnits = map[string]int64{
		"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
		"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
	}
)

func bytesSetting(to *int64) settingsValue {
	set := func(n *yaml.Node) error {
		m := byteSize.FindStringSubmatch(strings.TrimSpace(n.Value))
		if n.Kind != yaml.ScalarNode || m == nil {
			return unlike(n, allowedBytes)
		}
		v, err := strconv.ParseInt(m[1], 10, 64)
		unit, known := byteUnits[strings.ToLower(m[2])]
		if err != nil || !known || v > math.MaxInt64/unit {
			return unlike(n, allowedBytes)
		}
		*to = v * unit
		return nil
	}
	return settingsValue{set: set, get: func() string { return strconv.FormatInt(*to, 10) }, variable: plain}
}

func checkTable(name string) error {
	_, err := postgresio.ParseTable(name)
	return err
}

func checkInsertMode(mode string) error {
	if mode == InsertModeInsert || mode == InsertModeUpsert {
		return nil
	}
	return fmt.Errorf("found %q; allowed are insert and upsert", shorten(mode))
}

// urlSetting never repeats what it found, which may hold a password.
func urlSetting(to *string) settingsValue {
	set := func(n *yaml.Node) error {
		u, err := url.Parse(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
			return errors.New("found something else (not shown, it may hold a password); allowed is " + allowedURL)
		}
		*to = n.Value
		return nil
	}
	return settingsValue{set: set, get: func() string { return hidden(*to) }, variable: literal}
}

// hidden tells whether there is a value that is not to be shown.
func hidden(s string) string {
	if s == "" {
		return ""
	}
	return "(set, not shown)"
}

func countSetting(to *int) settingsValue { return wholeSetting(to, 1, allowedCount) }

// limitSetting takes a count; 0 is no limit.
func limitSetting(to *int) settingsValue { return wholeSetting(to, 0, allowedLimit) }

func wholeSetting(to *int, least int64, allowed string) settingsValue {
	set := func(n *yaml.Node) error {
		var v int64
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(&v) != nil || v < least || v > maxCount {
			return unlike(n, allowed)
		}
		*to = int(v)
		return nil
	}
	return settingsValue{set: set, get: func() string { return strconv.Itoa(*to) }, variable: plain}
}

func durationSetting(to *Duration) settingsValue {
	set := func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
			return unlike(n, allowedDuration)
		}
		d, err := ParseDuration(n.Value)
		if err != nil || d < 0 || d > maxDuration {
			return unlike(n, allowedDuration)
		}
		*to = Duration(d)
		return nil
	}
	return settingsValue{set: set, get: func() string { return to.String() }, variable: plain}
}

// secondsSetting is a durationSetting that is shown in seconds, as its key says.
func secondsSetting(to *Duration) settingsValue {
	v := durationSetting(to)
	v.get = func() string { return strconv.FormatFloat(to.Duration().Seconds(), 'g', -1, 64) }
	return v
}

// describe names a value for a message.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.ShortTag() == "!!null" {
		return "nothing"
	}
	if n.ShortTag() == "!!str" {
		return strconv.Quote(shorten(n.Value))
	}
	return shorten(n.Value)
}

// shorten cuts a text that is too long for a message.
func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
