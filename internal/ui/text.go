package ui

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/dustin/go-humanize"
)

// width is how many cells a clean string or a styled line takes.
func width(s string) int {
	if printableASCII(s) {
		return len(s)
	}
	return ansi.StringWidthWc(s)
}

// fit cuts or pads a clean, unstyled string to exactly w cells; what is cut
// ends with an ellipsis.
func fit(s string, w int) string {
	if w <= 0 {
		return ""
	}
	n := width(s)
	if n > w {
		s = ansi.TruncateWc(s, w, "…")
		n = width(s)
	}
	if n > w { // a cluster of several letters that cannot be cut
		s, n = "…", 1
	}
	if n < w {
		return s + blank(w-n)
	}
	return s
}

// fitRight is fit with the text at the right.
func fitRight(s string, w int) string {
	if n := width(s); n < w {
		return blank(w-n) + s
	}
	return fit(s, w)
}

// fitStyled is fit for a line that holds styles.
func fitStyled(s string, w int) string {
	n := ansi.StringWidthWc(s)
	if n > w {
		s = ansi.TruncateWc(s, w, "…")
		n = ansi.StringWidthWc(s)
	}
	return s + blank(w-n)
}

// keepEnd shortens a path from its left, since its end says more.
func keepEnd(s string, w int) string {
	if n := width(s); n > w && w > 1 {
		return ansi.TruncateLeftWc(s, n-w+1, "…")
	}
	return s
}

// cutMiddle shortens a text in its middle.
func cutMiddle(s string, w int) string {
	if width(s) <= w || w < 8 {
		return s
	}
	tail := keepEnd(s, w/2)
	return ansi.TruncateWc(s, w-width(tail), "") + tail
}

const blanks = "                                                                                                                                "

func blank(n int) string {
	if n <= 0 {
		return ""
	}
	if n <= len(blanks) {
		return blanks[:n]
	}
	return strings.Repeat(" ", n)
}

// age is a duration in at most five cells: 7s, 1m40s, 59m, 3h12m, 4d.
func age(d time.Duration) string {
	s := int(d / time.Second)
	switch {
	case d < 0:
		return "0s"
	case s < 60:
		return strconv.Itoa(s) + "s"
	case s < 600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 3600:
		return strconv.Itoa(s/60) + "m"
	case s < 10*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	case s < 48*3600:
		return strconv.Itoa(s/3600) + "h"
	}
	return strconv.Itoa(s/86400) + "d"
}

// since is the age of t at now; "-" when t is zero.
func since(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return age(now.Sub(t))
}

// seconds is a number of seconds as an age; short ones have a tenth.
func seconds(s float64) string {
	if s > 0 && s < 9.95 {
		return strconv.FormatFloat(s, 'f', 1, 64) + "s"
	}
	return age(time.Duration(math.Round(s)) * time.Second)
}

// bytesText is a size as people say it.
func bytesText(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

// number writes an integer with separators.
func number(n int) string { return humanize.Comma(int64(n)) }

// count is "1 job", "2 jobs".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// clock is a time of day, in the zone of the panel.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("15:04:05")
}

// wrap breaks clean text into lines of at most w cells.
func wrap(s string, w int) []string {
	if w < 1 {
		return nil
	}
	return strings.Split(ansi.WrapWc(s, w, " /,;:"), "\n")
}
