// Package nearest proposes what a mistyped name was probably meant to be.
package nearest

// maxBytes bounds the words that are worth a comparison.
const maxBytes = 64

// Name returns the name that is nearest to the word, or nothing when none is
// near: when more than half of the word's bytes would have to change.
func Name(word string, names []string) string {
	if len(word) > maxBytes {
		return ""
	}
	best, least := "", len(word)/2+1
	for _, name := range names {
		if d := editDistance(word, name); d < least {
			best, least = name, d
		}
	}
	return best
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
