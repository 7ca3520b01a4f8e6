package pipeline

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/cartstream/cartstream/io/csvio"
)

// settingsSection is a section of the file and the keys it may hold.
type settingsSection struct {
	name string
	keys []settingsKey
}

// settingsKey is a key and its value.
type settingsKey struct {
	name  string
	value settingsValue
}

// settingsValue binds a field of Settings.
type settingsValue struct {
	// set parses and stores a value, or returns what is wrong with it.
	set func(*yaml.Node) error
	// get returns the value in force, for people, without any secret.
	get func() string
	// variable reads the text of an environment variable.
	variable func(text string) (*yaml.Node, error)
}

// sections binds the keys of the file to the fields of s.
func (s *Settings) sections() []settingsSection {
	return []settingsSection{
		{"generator", []settingsKey{
			{"output_path", textSetting(&s.Generator.OutputPath, nil)},
			{"batch_size", countSetting(&s.Generator.BatchSize)},
			{"interval_seconds", secondsSetting(&s.Generator.Interval)},
		}},
		{"streaming", []settingsKey{
			{"input", textsSetting(&s.Streaming.Input, checkPattern)},
			{"trigger_interval", durationSetting(&s.Streaming.TriggerInterval)},
			{"max_files_per_trigger", countSetting(&s.Streaming.MaxFilesPerTrigger)},
			{"max_bytes_per_trigger", bytesSetting(&s.Streaming.MaxBytesPerTrigger)},
			{"minimum_age", durationSetting(&s.Streaming.MinimumAge)},
			{"unfinished_wait", durationSetting(&s.Streaming.UnfinishedWait)},
			{"latest_first", boolSetting(&s.Streaming.LatestFirst)},
			{"include_existing_files", boolSetting(&s.Streaming.IncludeExisting)},
			{"checkpoint_path", textSetting(&s.Streaming.CheckpointPath, nil)},
			{"checkpoint_interval", durationSetting(&s.Streaming.CheckpointInterval)},
		}},
		{"csv", []settingsKey{
			{"delimiter", charSetting(&s.CSV.Delimiter)},
			{"quote", charSetting(&s.CSV.Quote)},
			{"escape", charSetting(&s.CSV.Escape)},
			{"comment", charSetting(&s.CSV.Comment)},
			{"header", boolSetting(&s.CSV.Header)},
			{"columns", textsSetting(&s.CSV.Columns, nil)},
			{"skip_lines", wholeSetting(&s.CSV.SkipLines, 0, allowedLines)},
			{"null_value", textsSetting(&s.CSV.NullValue, nil)},
			{"trim", boolSetting(&s.CSV.Trim)},
			{"encoding", textSetting(&s.CSV.Encoding, nil)},
		}},
		{"validation", []settingsKey{
			{"future_tolerance", durationSetting(&s.Validation.FutureTolerance)},
			{"max_expansion", limitSetting(&s.Validation.MaxExpansion)},
			{"max_dead_letters", limitSetting(&s.Validation.MaxDeadLetters)},
		}},
		{"postgres", []settingsKey{
			{"table", textSetting(&s.Postgres.Table, checkTable)},
			{"insert_mode", textSetting(&s.Postgres.InsertMode, checkInsertMode)},
			{"update_columns", textsSetting(&s.Postgres.UpdateColumns, nil)},
			{"version_column", textSetting(&s.Postgres.VersionColumn, nil)},
			{"retry_for", durationSetting(&s.Postgres.RetryFor)},
			{"allow_unlogged", boolSetting(&s.Postgres.AllowUnlogged)},
			{"max_rejected_files", limitSetting(&s.Postgres.MaxRejectedFiles)},
			{"url", urlSetting(&s.Postgres.URL)},
		}},
	}
}

// settingsParser collects the mistakes of one file.
type settingsParser struct {
	file     string
	sections []settingsSection
	origins  map[string]string
	errs     []error
}

// parseSettings reads the text of a file over the defaults, and an environment
// over that.
func parseSettings(file string, text []byte, environ []string) (Settings, []Setting, error) {
	s := DefaultSettings()
	p := &settingsParser{file: file, sections: s.sections(), origins: map[string]string{}}
	if root := p.document(text); root != nil {
		p.root(root)
	}
	p.environment(environ)
	p.together(&s)
	if len(p.errs) > 0 {
		return Settings{}, nil, errors.Join(p.errs...)
	}
	p.database(environ)
	return s, p.inForce(), nil
}

// together checks what several keys must agree on.
func (p *settingsParser) together(s *Settings) {
	if len(p.errs) > 0 {
		return
	}
	if err := csvio.ValidateFor[Event](s.CSV); err != nil {
		name, message, _ := strings.Cut(err.Error(), ": ")
		p.failWhereSet(join("csv", name), message)
	}
	if s.Postgres.InsertMode != InsertModeUpsert {
		const message = "is for upserts; allowed with insert_mode: upsert"
		if len(s.Postgres.UpdateColumns) > 0 {
			p.failWhereSet("postgres.update_columns", message)
		}
		if s.Postgres.VersionColumn != "" {
			p.failWhereSet("postgres.version_column", message)
		}
	}
	if s.Postgres.inOrder() && s.Streaming.LatestFirst {
		p.failWhereSet("streaming.latest_first", "found true, and without postgres.version_column an upsert has the last record in the order of files and lines win; "+
			"allowed is false, or a version_column")
	}
}

// askedForBy are the keys that make another one, left out, a mistake.
var askedForBy = map[string]string{"csv.columns": "csv.header", "csv.quote": "csv.delimiter"}

// failWhereSet is a mistake in how values go together; it names where the
// value of the key came from, or of the key that asks for it.
func (p *settingsParser) failWhereSet(key, message string) {
	p.errs = append(p.errs, &SettingsError{File: cmp.Or(p.origins[key], p.origins[askedForBy[key]], p.file), Key: key, Message: message})
}

func (p *settingsParser) fail(line int, key, format string, args ...any) {
	p.errs = append(p.errs, &SettingsError{File: p.file, Line: line, Key: key, Message: fmt.Sprintf(format, args...)})
}

// document returns the content of the file's only document, nil when there is
// none or when it is no YAML.
func (p *settingsParser) document(text []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		p.syntax(err)
		return nil
	}
	if err := dec.Decode(&second); err == nil {
		p.fail(second.Line, "", "found a second document; allowed is one")
	} else if !errors.Is(err, io.EOF) {
		p.syntax(err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// syntax reports an error of the YAML parser, which has the line in its text.
func (p *settingsParser) syntax(err error) {
	message, line := strings.TrimPrefix(err.Error(), "yaml: "), 0
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	p.fail(line, "", "this is no YAML: %s", message)
}

func (p *settingsParser) root(n *yaml.Node) {
	names := make([]string, len(p.sections))
	for i, s := range p.sections {
		names[i] = s.name
	}
	p.mapping(n, "", names, func(i int, value *yaml.Node) { p.section(p.sections[i], value) })
}

func (p *settingsParser) section(s settingsSection, n *yaml.Node) {
	names := make([]string, len(s.keys))
	for i, k := range s.keys {
		names[i] = k.name
	}
	p.mapping(n, s.name, names, func(i int, value *yaml.Node) {
		key := join(s.name, names[i])
		if err := s.keys[i].value.set(value); err != nil {
			p.fail(value.Line, key, "%s", err)
		}
		p.origins[key] = fmt.Sprintf("%s:%d", p.file, value.Line)
	})
}

// mapping calls each with every pair of n whose key is one of names; a mapping
// with all its keys commented out is null, and fine.
func (p *settingsParser) mapping(n *yaml.Node, section string, names []string, each func(i int, value *yaml.Node)) {
	n = target(n)
	if n.ShortTag() == "!!null" {
		return
	}
	if n.Kind != yaml.MappingNode {
		p.fail(n.Line, section, "found %s; allowed are the keys %s", describe(n), strings.Join(names, ", "))
		return
	}
	seen := map[string]int{} // its line
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		full := join(section, key.Value)
		first, twice := seen[key.Value]
		at := index(names, key)
		switch {
		case at < 0:
			p.fail(key.Line, section, "found the unknown key %s%s; allowed are %s",
				describeKey(key), p.suggest(section, names, key), strings.Join(names, ", "))
		case twice:
			p.fail(key.Line, full, "found a second time; the first is in line %d", first)
		default:
			each(at, withLine(target(n.Content[i+1]), key.Line))
		}
		seen[key.Value] = key.Line
	}
}

// target returns the node that an alias stands for.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// withLine gives a value that is an alias' target, or null, the line of its
// key, where a person will look.
func withLine(n *yaml.Node, line int) *yaml.Node {
	at := *n
	if n.Kind == yaml.ScalarNode {
		at.Line = line
	}
	return &at
}

func join(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}

func index(names []string, key *yaml.Node) int {
	if key.Kind != yaml.ScalarNode {
		return -1
	}
	for i, name := range names {
		if name == key.Value {
			return i
		}
	}
	return -1
}

func describeKey(key *yaml.Node) string {
	if key.Kind == yaml.ScalarNode {
		return strconv.Quote(shorten(key.Value))
	}
	return describe(key)
}
