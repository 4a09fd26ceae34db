package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const referenceHead = `# Configuration

<!-- Made by "go generate ./internal/config" from the struct Config. Do not edit. -->

qmtui reads the first of these that exists: the file of ` + "`--config`, `$QMTUI_CONFIG`, `./qmtui.toml`, `/etc/qmtui/qmtui.toml`" + `.
A file that is named but missing, or there but unreadable, is an error. With none of them there are working defaults under
the user's state folder.

The environment wins over the file, flags win over both. The environment name of a key is ` + "`QMTUI_SECTION_KEY`" + `, in capitals; of a
deployment's key ` + "`QMTUI_DEPLOYMENT_<NAME>_KEY`" + `, where ` + "`h200-spot`" + ` becomes ` + "`H200_SPOT`" + `. An empty variable counts as not set; a list is
separated by commas. Without a file, ` + "`QMTUI_DEPLOYMENT_<NAME>_URL`" + ` makes a deployment. A key or a ` + "`QMTUI_`" + ` name that does not exist is an error
that names the nearest one.

Secrets are never in the file. Name the variable (` + "`key_env`" + `) or the file (` + "`key_file`" + `) that holds them, or set
` + "`QMTUI_DEPLOYMENT_<NAME>_KEY`" + ` and ` + "`QMTUI_VERDA_CLIENT_SECRET`" + `. They are printed as stars.

Times are ` + "`\"90s\"`, `\"15m\"`, `\"12h\"`, `\"30d\"`" + `, and ` + "`\"off\"`" + ` where the table says what it means. Sizes are ` + "`\"1GiB\"`, `\"500MB\"`" + `.
Permissions are octal text, ` + "`\"0644\"`" + `. Paths begin with /.

` + "`qmtui config check`" + ` lists all unknown keys and wrong types at once, and when there are none, all wrong values; ` + "`qmtui config show`" + ` prints what is in effect and where each value came from.
`

const referenceSite = `
## Environment names of the site

They are understood when there is no file; ` + "`qmtui config import-env .env`" + ` turns them into one.

| name | becomes |
|---|---|
`

// Reference is docs/configuration.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	cfg := Default()
	deployment, node := NewDeployment(""), NewSaveNode()
	lists := map[string][]field{"deployment": deployment.fields(0), "save_node": node.fields(0)}
	for _, s := range cfg.sections() {
		header, fs := "["+s.name+"]", s.fields()
		if !s.value.IsValid() {
			header, fs = "[["+s.name+"]]", lists[s.name]
		}
		fmt.Fprintf(&b, "\n## `%s`\n\n%s\n\n| key | type | default | |\n|---|---|---|---|\n", header, s.doc)
		for _, f := range fs {
			if !f.isSecret() {
				b.WriteString(f.row())
			}
		}
	}
	b.WriteString(referenceSite)
	b.WriteString(siteTable())
	return b.String()
}

func (f field) row() string {
	standard := "required"
	if _, ok := f.fallback(); ok || f.allowsZero() {
		standard = "`" + literal(f) + "`"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", f.name, f.typeWord(), standard, cell(f.meaning()))
}

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;").Replace(s)
}

// typeWord is the type of a field for people.
func (f field) typeWord() string {
	switch f.value.Interface().(type) {
	case Duration:
		return "time"
	case Bytes:
		return "size"
	case FileMode:
		return "permissions"
	case []string:
		return "list"
	case bool:
		return "true, false"
	case int:
		return "whole number"
	case float64:
		return "number"
	}
	if _, ok := f.tag.Lookup("path"); ok {
		return "path"
	}
	return "text"
}

func siteTable() string {
	rows := map[string]string{
		siteEndpoint:             "a deployment called `" + sitePlain + "`, unless another has the same address",
		siteEndpoint + "_<NAME>": "a deployment `<name>`, in small letters with - for _",
		siteActive:               "`active` of the deployment of that name",
		siteKey:                  "`key_env` of every deployment",
		siteMode:                 "`queue.mode`: fifo stays, round_robin and priority become fair",
		siteTimeout:              "`queue.run_timeout`, in seconds",
		siteSecret:               "`verda.client_secret_env`",
	}
	for name, key := range siteKeys {
		rows[name] = "`" + key + "`"
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, rows[name])
	}
	return b.String()
}
