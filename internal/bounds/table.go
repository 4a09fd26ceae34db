package bounds

const head = `# Limits

<!-- Made by "go generate ./internal/bounds" from the defaults and constants of the source. Do not edit. -->

What one caller may take, what all may take together, and what happens beyond. A name with its section, such as ` + "`limits.streams`" + `, is a key of
[configuration.md](configuration.md), and its value is the default. Any other name is a constant below ` + "`internal/`" + ` in the source, with its
package in front; it cannot be set. Codes are explained in [operations.md](operations.md) and [protocol.md](protocol.md). 429 and 503 come with
` + "`Retry-After`" + ` where it is known when to come again. [SECURITY.md](../SECURITY.md) tells what each is good against.
`

type group struct {
	title, text string // the text ends with an empty line
	bounds      []bound
}

var sections = []group{
	{"Of one user", "Nothing of [limits] holds for the admin on the unix socket and for sessions by SSH, nor the number of their bodies. Without a login, the user whom a call is for is charged.\n\n", []bound{
		{name: "limits.streams", beyond: "429 `too_many_streams`"},
		{name: "limits.sockets", beyond: "429 `too_many_sockets`"},
		{name: "limits.submits", beyond: "429 `too_many_submits`"},
		{name: "limits.prompt_bytes", beyond: "429 `too_many_prompt_bytes`"},
		{name: "limits.uploads", beyond: "429 `too_many_uploads`"},
		{name: "limits.upload_bytes", beyond: "429 `too_many_upload_bytes`"},
		{name: "limits.input_files", beyond: "507 `inputs_full`"},
		{name: "limits.input_bytes", beyond: "507 `inputs_full`"},
		{name: "limits.ledger_bytes", beyond: "the oldest ended jobs are forgotten"},
		{name: "users.max_queued", beyond: "429 `too_many_queued`"},
		{name: "users.max_running", beyond: "more wait in the queue"},
		{name: "users.copies_per_user", beyond: "more wait"},
		{name: "server.oneArriving", what: "Bodies that arrive at once.", beyond: "429 `too_many_bodies`"},
		{name: "server.oneBodies", what: "Of these, larger than `server.freeBody`.", beyond: "more wait"},
		{name: "server.onePrompts", what: "Prompts larger than `server.largePrompt` that are read and recorded at once.", beyond: "more wait"},
		{name: "picture.perCaller", what: "Pictures that are decoded at once, for previews and masks.", beyond: "more wait"},
		{name: "server.maxTokens", what: "Tokens.", beyond: "429 `too_many_tokens`"},
		{name: "server.consoleLines", what: "Lines of a browser's console within a minute, at one address.", beyond: "429 `too_many_logs`"},
	}},
	{"Of all users", "What is kept for operators, the admin on the unix socket and sessions by SSH, comes on top of a pool and is never taken by anybody else.\n\n", []bound{
		{name: "server.allStreams", what: "Event streams at once.", beyond: "429 `too_many_streams`"},
		{name: "server.keptStreams", what: "More of them, for operators.", beyond: "429 `too_many_streams`"},
		{name: "server.allSockets", what: "WebSockets at once.", beyond: "429 `too_many_sockets`"},
		{name: "server.keptSockets", what: "More of them, for operators.", beyond: "429 `too_many_sockets`"},
		{name: "server.allArriving", what: "Bodies that arrive at once.", beyond: "429 `too_many_bodies`"},
		{name: "server.keptArriving", what: "More of them, for operators.", beyond: "429 `too_many_bodies`"},
		{name: "server.allBodies", what: "Bodies larger than `server.freeBody` that arrive at once.", beyond: "more wait"},
		{name: "server.keptBodies", what: "More of them, for operators.", beyond: "more wait"},
		{name: "server.allPrompts", what: "Large prompts that are read and recorded at once.", beyond: "more wait"},
		{name: "server.keptPrompts", what: "More of them, for operators.", beyond: "more wait"},
		{name: "queue.max_depth", beyond: "429 `queue_full`"},
		{name: "users.copies", beyond: "more wait"},
		{name: "ssh.max_sessions", beyond: "the panel is not opened: `too_many_panels`"},
		{name: "limit.maxUsers", what: "Users with an account of their own in each limit.", beyond: "the others share one"},
		{name: "store.maxAudit", what: "Entries of the audit log.", beyond: "the oldest are forgotten"},
	}},
	{"Bodies", "", []bound{
		{name: "comfy.DefaultBytes", unit: size, what: "A prompt; also its `extra_data`.", beyond: "413 `too_big`, or `too_large` for the whole body"},
		{name: "comfy.DefaultDepth", what: "Its nesting.", beyond: "422 `too_deep`"},
		{name: "comfy.DefaultNodes", what: "Its nodes.", beyond: "422 `too_many_nodes`"},
		{name: "server.maxUpload", unit: size, what: "An upload, and a masked picture.", beyond: "413 `too_large`"},
		{name: "server.actionBody", unit: size, what: "An action on many jobs.", beyond: "413 `too_large`"},
		{name: "server.smallBody", unit: size, what: "Any other body.", beyond: "413 `too_large`"},
		{name: "server.maxHeard", unit: size, what: "One message on a WebSocket.", beyond: "the socket is closed"},
		{name: "server.freeBody", unit: size, what: "A body up to here never waits for a place.", beyond: "it waits for one of `server.allBodies`"},
		{name: "server.largePrompt", unit: size, what: "A prompt up to here is read beside others of its user.", beyond: "it waits for one of `server.allPrompts`"},
		{name: "server.formMemory", unit: size, what: "What of an upload is kept in memory.", beyond: "the rest is in `TMPDIR`"},
		{name: "server.pace.Least", unit: size, what: "How much must arrive in a second, on average over `server.pace.Window`.", beyond: "408 `body_timeout`, as soon as somebody waits for the place"},
		{name: "server.pace.Window", unit: span, what: "That time.", beyond: "the next seconds are judged in the same way"},
		{name: "server.pace.Grace", unit: span, what: "How long a slow body may take while nobody waits.", beyond: "408 `body_timeout`"},
		{name: "server.slowReader", unit: span, what: "How long the reader of a stream or WebSocket may take nothing.", beyond: "it is cut off"},
		{name: "server.answerTimeout", unit: span, what: "The same for any other answer, piece by piece.", beyond: "it is cut off"},
	}},
	{"Pictures", "For previews and masks. The header is read first; what it says decides whether a process with limits of the kernel is started to decode the rest.\n\n", []bound{
		{name: "picture.MaxFile", unit: size, what: "A picture's file.", beyond: "413 `picture_too_large`"},
		{name: "picture.maxPicture", unit: size, what: "Memory that one picture may need.", beyond: "413 `picture_too_large`"},
		{name: "picture.largePicture", unit: size, what: "A picture that needs less does not wait behind larger ones.", beyond: "it waits for a part of `picture.largeMemory`"},
		{name: "picture.largeMemory", unit: size, what: "Memory of all large pictures together.", beyond: "more wait"},
		{name: "picture.allMemory", unit: size, what: "Memory of all processes that decode.", beyond: "more wait"},
		{name: "picture.maxScans", what: "Scans of a JPEG.", beyond: "413 `picture_too_costly`"},
		{name: "picture.maxVisits", what: "Blocks of a JPEG, all scans together.", beyond: "413 `picture_too_costly`"},
		{name: "picture.cpuLimit", unit: span, what: "Time of a processor for one picture.", beyond: "413 `picture_too_costly`"},
		{name: "picture.wallLimit", unit: span, what: "Time on the clock for one picture.", beyond: "413 `picture_too_costly`"},
		{name: "picture.maxResult", unit: size, what: "A masked picture.", beyond: "413 `picture_too_large`"},
	}},
	{"Disks", "", []bound{
		{name: "share.free_reserve", beyond: "no copy begins; an upload or a submit gets 503 `disk_full`, and `/readyz` names it"},
	}},
	{"Evidence", "What workers and writers of the share can make the manager read.\n\n", []bound{
		{name: "share.max_folders", beyond: "more wait"},
		{name: "engine/share.maxFiles", what: "Names in one attempt's folder.", beyond: "the others are not looked at; the warning `not_looked_at` says so"},
		{name: "engine/share.maxRest", what: "Names outside `qm/`.", beyond: "the others are not looked at, and the log says so"},
		{name: "engine/share.filesAtOnce", what: "Files that one look opens.", beyond: "the others wait for the next look"},
		{name: "engine/share.oddAtOnce", what: "New names that are no plain files, in one look.", beyond: "the others wait for the next look"},
		{name: "engine/share.oddTold", what: "Of these, told one by one.", beyond: "how many more there are is told once"},
		{name: "job.MaxAlike", what: "Warnings of one kind that are kept with a job.", beyond: "one more says that there are others"},
		{name: "engine.maxText", unit: size, what: "Text of SaveText that is kept with a job, and shown in the page.", beyond: "the rest stands in the file"},
		{name: "comfy.maxWork", what: "Steps of some 20 ns in one look at a file: boxes, chunks, elements, tags, keys.", beyond: "whether it is whole is unknown: it is delivered after the end of its attempt"},
		{name: "comfy.maxUnpacked", unit: size, what: "What is unpacked of a file to judge it.", beyond: "whether it is whole is unknown"},
		{name: "comfy.maxMetadata", unit: size, what: "Metadata of a file.", beyond: "they are not read"},
		{name: "comfy.smallBody", unit: size, what: "An answer of a worker.", beyond: "it counts as no answer"},
		{name: "comfy.largeBody", unit: size, what: "A list of nodes or a history of a worker.", beyond: "it counts as no answer"},
		{name: "engine/fleet.maxKeptNodes", unit: size, what: "A deployment's list of nodes, compressed, as it is kept over a restart.", beyond: "it is read again first"},
		{name: "comfy.submitBody", unit: size, what: "The answer of a worker to a prompt.", beyond: "it counts as no answer"},
		{name: "comfy.maxHistoryFiles", what: "Files that one history names.", beyond: "the others are not read"},
	}},
	{"Ways in", "", []bound{
		{name: "server.maxPassword", unit: size, what: "A password at a login.", beyond: "401 `bad_login`"},
		{name: "server.maxCookie", unit: size, what: "A session cookie.", beyond: "it is no login"},
		{name: "server.waitingOfNetwork", what: "Logins of one network, or from browsers of one user, that wait.", beyond: "503 `login_busy`"},
		{name: "server.waitingOfAll", what: "Logins that wait.", beyond: "the network with the most loses its last: 503 `login_busy`"},
		{name: "server.maxAuthFile", unit: size, what: "A file of passwords or tokens.", beyond: "it lets nobody in"},
		{name: "sshd.maxChannels", what: "Panels on one SSH connection.", beyond: "the channel is refused"},
		{name: "sshd.spareLines", what: "SSH connections beside those with a panel.", beyond: "the connection is closed"},
		{name: "sshd.startupsOfSource", what: "SSH connections of one network that have shown no key yet.", beyond: "the oldest is closed"},
		{name: "sshd.startupsMost", what: "The same of all.", beyond: "the oldest of the network with the most is closed"},
		{name: "sshd.failuresAllowed", what: "Failed logins of one address within `sshd.failuresWithin`.", beyond: "its connections are closed for that long"},
		{name: "sshd.failuresWithin", unit: span, what: "That time.", beyond: "it may try again"},
		{name: "sshd.usual.greet", unit: span, what: "Until an SSH connection has shown a good key.", beyond: "it is closed"},
		{name: "sshd.usual.unused", unit: span, what: "An SSH connection without a panel.", beyond: "it is closed"},
	}},
}
