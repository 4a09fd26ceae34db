// Package comfy is everything this program knows about ComfyUI, and nothing
// else: reading, checking and tagging an API-format prompt; the HTTP of a
// server; the file formats that its nodes write and the metadata in them.
//
// A prompt goes one way:
//
//	p, err := comfy.ParsePrompt(raw, comfy.Limits{}) // is it a prompt at all?
//	err = p.Check(info)                              // would it run, and write something?
//	outs := p.Outputs(info)                          // which files will come?
//	req, err := p.Tagged(tag, extra, info)           // the body for POST /prompt
//
// All four are pure functions of their arguments; a *Prompt never changes and
// may be shared by goroutines. Refusals are *Refusal: a code for programs, a
// sentence and a next step for people, and ComfyUI's own error shape for pages.
//
// The facts stated in comments were measured on ComfyUI 0.8.0 unless they name
// another version.
package comfy
