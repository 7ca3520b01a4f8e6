package pipeline

import "gopkg.in/yaml.v3"

// suggest proposes what an unknown key was probably meant to be: the nearest
// name of its section, or the same name in another section; empty when nothing
// is near.
func (p *settingsParser) suggest(section string, names []string, key *yaml.Node) string {
	if key.Kind != yaml.ScalarNode || len(key.Value) > maxKeyBytes {
		return ""
	}
	best, least := "", len(key.Value)/2+1
	for _, name := range names {
		if d := editDistance(key.Value, name); d < least {
			best, least = join(section, name), d
		}
	}
	if best == "" {
		best = p.elsewhere(key.Value)
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + best + "?)"
}

// maxKeyBytes bounds the keys that are worth a comparison.
const maxKeyBytes = 64

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

// editDistance is Levenshtein's: the fewest bytes to insert, delete or replace.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
