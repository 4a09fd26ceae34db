package ui

import (
	"fmt"
	"path"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// pictures are a job's delivered pictures.
func pictures(j *api.Job) (all []api.Output) {
	for _, o := range j.Outputs {
		if o.State == job.OutputStored && isPicture(o.Filename) {
			all = append(all, o)
		}
	}
	return all
}

// firstPicture is a job's first delivered picture; empty for none.
func firstPicture(j *api.Job) job.OutputID {
	if all := pictures(j); len(all) > 0 {
		return all[0].ID
	}
	return ""
}

// picture is the picture that is shown, with its place among all of the job;
// all is zero when there is none.
func (d *jobDetail) picture() (o api.Output, at, all int) {
	r := d.row()
	if r == nil || d.m.w.opts.Images == ImagesOff {
		return o, 0, 0
	}
	have := pictures(&r.job)
	if len(have) == 0 {
		return o, 0, 0
	}
	at = max(0, slices.IndexFunc(have, func(o api.Output) bool { return o.ID == d.looked }))
	return have[at], at, len(have)
}

// nextPicture shows the picture after the one that is shown.
func (d *jobDetail) nextPicture() tea.Cmd {
	_, at, all := d.picture()
	if all == 0 {
		d.m.refuse("no picture of this job has been delivered")
		return nil
	}
	d.looked = pictures(&d.row().job)[(at+1)%all].ID
	return d.wantPicture()
}

// pictureTitle names the picture that is shown.
func (d *jobDetail) pictureTitle() string {
	o, at, all := d.picture()
	title := d.m.w.text(o.Filename)
	if all > 1 {
		title = fmt.Sprintf("%d of %d, o: next %s %s", at+1, all, d.m.w.st.glyphs.dot, title)
	}
	return title
}

func (d *jobDetail) wantPicture() tea.Cmd {
	o, _, _ := d.picture()
	return d.m.w.want(o.ID)
}

// pictureBelow is the picture between the facts, for screens that are too
// narrow to have it beside them.
func (d *jobDetail) pictureBelow(w int) []string {
	o, _, all := d.picture()
	if all == 0 || d.m.width >= detailSide {
		return nil
	}
	return d.m.w.previews.draw(d.m.w.st, o.ID, min(w, 48), 12)
}

// isPicture goes by the name, so that nothing is asked for that cannot be
// shown; the manager looks into the file itself.
func isPicture(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".webp", ".gif":
		return true
	}
	return false
}

// glance is the summary of a job with its picture below, where it has one.
func (m *Model) glance(r *row, w, h int) []string {
	lines := m.summary(r, w)
	pic := m.w.previews.draw(m.w.st, firstPicture(&r.job), w, h-len(lines)-1)
	if len(pic) == 0 {
		return lines
	}
	return append(append(lines, ""), pic...)
}
