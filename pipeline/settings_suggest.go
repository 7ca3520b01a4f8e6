package pipeline

import (
	"gopkg.in/yaml.v3"

	"github.com/cartstream/cartstream/internal/nearest"
)

// suggest proposes what an unknown key was probably meant to be: the nearest
// name of its section, or the same name in another section; empty when nothing
// is near.
func (p *settingsParser) suggest(section string, names []string, key *yaml.Node) string {
	if key.Kind != yaml.ScalarNode {
		return ""
	}
	best := p.elsewhere(key.Value)
	if name := nearest.Name(key.Value, names); name != "" {
		best = join(section, name)
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + best + "?)"
}

func (p *settingsParser) elsewhere(key string) string {
	for _, s := range p.sections {
		for _, k := range s.keys {
			if k.name == key {
				return join(s.name, key)
			}
		}
	}
	return ""
}
