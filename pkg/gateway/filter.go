package gateway

import (
	"slices"
	"strconv"
	"strings"

	"sluice/pkg/bus"
	"sluice/pkg/id"
)

// filter narrows the receivers of a push. The zero value lets everybody pass.
type filter struct {
	except      []id.Socket // sorted
	authTypes   []string
	min, max    string
	locales     []string
	unqualified bool // nothing but except may narrow
}

func newFilter(p *bus.Push) filter {
	except := slices.Clone(p.Except)
	slices.Sort(except)
	return filter{
		except: except, authTypes: p.AuthTypes, min: p.MinVersion, max: p.MaxVersion, locales: p.Locales,
		unqualified: len(p.AuthTypes) == 0 && len(p.Locales) == 0 && p.MinVersion == "" && p.MaxVersion == "",
	}
}

func (f *filter) passes(s id.Socket, who *traits) bool {
	if len(f.except) > 0 {
		if _, found := slices.BinarySearch(f.except, s); found {
			return false
		}
	}
	return f.unqualified || f.qualifies(who)
}

func (f *filter) qualifies(who *traits) bool {
	if len(f.authTypes) > 0 && !slices.Contains(f.authTypes, who.authType) {
		return false
	}
	if f.min != "" && compareVersions(who.version, f.min) < 0 {
		return false
	}
	if f.max != "" && compareVersions(who.version, f.max) > 0 {
		return false
	}
	return len(f.locales) == 0 || slices.ContainsFunc(f.locales, func(want string) bool {
		return localeMatches(who.locale, want)
	})
}

// localeMatches tells whether "en-GB" is an "en".
func localeMatches(have, want string) bool {
	if len(have) < len(want) || !strings.EqualFold(have[:len(want)], want) {
		return false
	}
	return len(have) == len(want) || have[len(want)] == '-' || have[len(want)] == '_'
}

// compareVersions compares dotted numbers: "1.10" is above "1.9", a missing
// part counts as 0 and so does one that is no number.
func compareVersions(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if n, m := versionPart(x), versionPart(y); n != m {
			if n < m {
				return -1
			}
			return 1
		}
	}
	return 0
}

func versionPart(s string) uint64 {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, _ := strconv.ParseUint(s[:end], 10, 64) // no digits: 0, as documented
	return n
}
