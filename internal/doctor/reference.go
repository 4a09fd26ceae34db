package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// Checks lists every check, in the order in which doctor tells them.
func Checks() []*Check {
	return []*Check{
		settingsGood, settingsAdvice, settingsFiles, settingsFair, settingsTags, settingsEvidence, settingsWaits,
		managerSocket, managerWarnings,
		stateFolder, stateLock, stateDatabase, stateSpace,
		shareMounted, shareAlive, shareType, shareCache, shareWritable, shareSpace, shareClock, shareView, shareSame,
		usersFolder, usersWritable, usersSticky, usersSpace, inputsFolders,
		processFiles, processWatches, webServer, loginFile, proxyHeader, sshKeys, sshDoor,
		workerAnswers, workerOutput, workerInput, workerAssets, workerVersion, workerModels, workerNodes, workerClock, workerSaves, workerSilent,
		tofuRead, tofuOutput, tofuHealth, tofuConcurrency, tofuScaleDown, tofuWaits,
		canaryAccepted, canaryWay, canaryShare, canaryDelivered,
	}
}

// withoutCheck says why a case of the field has no check.
var withoutCheck = map[int]string{
	13: "none is possible from outside: both forms of the request are understood, see [field-cases.md](field-cases.md)",
}

const fieldCases = 16 // of docs/field-cases.md

const referenceHead = `# What qmtui doctor looks at

<!-- Made by "go generate ./internal/doctor" from the checks themselves. Do not edit. -->

` + "`qmtui doctor`" + ` looks at everything at the same time, each with a deadline of its own, so that a mount that hangs does not hang it; what
does not answer in time is a *fail* of its own. It ends with 1 when something fails, and with 0 when it only warns. Run it as the
manager's user or as root: as root it asks the kernel what the manager's user may do, by taking on that user's rights for the question.
Beside its own codes, any check can say ` + "`stalled`" + ` (*fail*: no answer in time), ` + "`interrupted`" + ` (*skip*: doctor was stopped) or ` + "`panic`" + ` (*fail*: the check
itself broke).

It tells what fails and what warns, the gravest first, and of the rest the names; ` + "`--all`" + ` tells what every check found. ` + "`--json`" + ` prints one
document: ` + "`verdict`" + ` (the gravest of ok, warn and fail; skip when there is no other), ` + "`at`, `took_seconds`, `version`, `counts`" + ` by verdict, and
` + "`checks`" + ` in the order of this page, each with ` + "`name`, `subject`" + ` (such as a deployment; left out when there is one only), ` + "`verdict`, `code`,\n`reason`" + ` (a sentence for people) and ` + "`next`" + ` (left out when there is none). Names and codes are those below and stay; sentences may change.

Without being told to, it asks nothing of a deployment that may be asleep, and says what the manager knows of it and how old that is.
` + "`--wake`" + ` asks, and ` + "`--canary`" + ` sends a small prompt through the whole, to each deployment (` + "`--deployment NAME`" + ` for one); both say first what that may cost. ` + "`--tf DIR`" + ` reads OpenTofu
files, in the schema of the provider verda-cloud/verda 1.1, and never runs anything. Doctor leaves
nothing behind: to read the clock of the share it makes one file without a name, and a canary's picture is taken out of its user's folder again (what is on the
share is the manager's). A canary that is interrupted is cancelled; if its picture comes all the same, the next canary takes it away. What was taken
once and brought nothing is not sent a second time.

The manager has a doctor of its own, which sees what the manager sees: in the panel, by ` + "`GET` and `POST /api/doctor`" + ` (see [protocol.md](protocol.md)), and by
` + "`qmtui doctor --by-manager`" + `, also from another machine. Where the manager runs in a container, look by both: only the one inside knows whether its mounts live, and only
the one outside whether they are those of the machine.

`

// Reference is docs/doctor.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	b.WriteString(caseTable())
	for _, c := range Checks() {
		fmt.Fprintf(&b, "\n## `%s`\n\nLooks at %s.\n\n| verdict | code | when | next step |\n|---|---|---|---|\n", c.Name, c.Looks)
		for _, r := range c.Rulings {
			fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", r.Verdict, r.Code, cell(r.When), cell(r.Next))
		}
	}
	return b.String()
}

// caseTable says which checks look for each case of the field.
func caseTable() string {
	var b strings.Builder
	b.WriteString("The sixteen cases of [field-cases.md](field-cases.md), and the checks that look for them:\n\n| case | checks |\n|---|---|\n")
	for n := 1; n <= fieldCases; n++ {
		var names []string
		for _, c := range Checks() {
			if slices.Contains(c.Cases, n) {
				names = append(names, "`"+c.Name+"`")
			}
		}
		text := strings.Join(names, ", ")
		if text == "" {
			text = withoutCheck[n]
		}
		fmt.Fprintf(&b, "| %d | %s |\n", n, text)
	}
	return b.String()
}

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;").Replace(s)
}
