package config

// maxCompared bounds the length of a foreign name in comparisons and messages, in runes.
const maxCompared = 64

func cut(name string) string {
	if r := []rune(name); len(r) > maxCompared {
		return string(r[:maxCompared]) + "…"
	}
	return name
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour (optimal string alignment).
func distance(a, b string) int {
	s, t := []rune(cut(a)), []rune(cut(b))
	before, above := make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range above {
		above[j] = j
	}
	for i := range s {
		row := make([]int, len(t)+1)
		row[0] = i + 1
		for j := range t {
			cost := 1
			if s[i] == t[j] {
				cost = 0
			}
			row[j+1] = min(above[j+1]+1, row[j]+1, above[j]+cost)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above = above, row
	}
	return above[len(t)]
}

// nearest is the candidate with the least distance, the first of equals; "" without candidates.
func nearest(name string, candidates []string) string {
	best, least := "", -1
	for _, c := range candidates {
		if d := distance(name, c); least < 0 || d < least {
			best, least = c, d
		}
	}
	return best
}

// near: so close that it is a slip of the finger.
func near(name, candidate string) bool {
	return candidate != "" && distance(name, candidate) <= max(1, len(candidate)/3)
}

// nearestKey looks for a name among the names of its own section, then for the
// name alone and for the whole key among all keys.
func nearestKey(prefix, name string, names, keys []string) string {
	own := nearest(name, names)
	if near(name, own) {
		return join(prefix, own)
	}
	for _, k := range keys {
		if near(name, leaf(k)) {
			return k
		}
	}
	if own != "" {
		return join(prefix, own)
	}
	return nearest(join(prefix, name), keys)
}

func leaf(key string) string {
	for i := len(key) - 1; i >= 0; i-- {
		if key[i] == '.' {
			return key[i+1:]
		}
	}
	return key
}
