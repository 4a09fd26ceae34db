package doctor

// The checks of a canary: a prompt without models that goes the whole way.
var (
	canaryAccepted = &Check{Name: "canary-accepted", Looks: "--canary: assets/prompts/first-picture.json as 8x8 pixels, submitted for the user qmtui-canary to each deployment, one after the other (--deployment says to which), and who answered", Cases: []int{1, 2, 7, 10},
		Rulings: []Ruling{
			{"accepted", OK, "the deployment took it", ""},
			{"key", Fail, "the endpoint does not know it: the platform says 404 for a missing key", "check the deployment's key first, then its url"},
			{"refused", Fail, "it was refused, or failed before it was taken", "see qmtui jobs show ID"},
			{"interrupted", Skip, "doctor was stopped, or the job cancelled, before it was taken; it was taken back", "let qmtui doctor --canary come to its end"},
			{"manager_left", Fail, "the manager stopped answering for more than a minute meanwhile", "see the manager's log; the canary goes on when it is back"},
			{"unanswered", Fail, "nobody took it in time", "see qmtui workers list and the deployment's page on the platform: quota, image, health check"},
			{"not_sent", Fail, "the manager did not take it", "mend what the manager says, then try again"},
			{"halted", Skip, "the queue is paused or drains", "run qmtui queue resume, then try again"},
			{"held", Skip, "the manager sends nothing now: the share is away, or a budget is reached", "see qmtui queue status"},
			{"no_manager", Fail, "no manager answers", "start the manager, then try again"},
			{"no_active", Fail, "no deployment is active", "run qmtui workers use NAME"},
			{"no_such", Fail, "the manager has no deployment of that name", "run qmtui workers list; a manager reads its configuration when it starts"},
			{"not_agreed", Skip, "nobody agreed to what it may cost", "answer y, or give --yes"},
		}}
	canaryWay = &Check{Name: "canary-way", Looks: "--canary: which way the prompt went; driver = \"verda\" finds out and has a choice, and only there it is told", Cases: []int{7},
		Rulings: []Ruling{
			{"async", OK, "the platform held it and told how it goes: waiting for a machine and accepted are told apart", ""},
			{"plain", OK, "the platform does not hold prompts, so it went as to any ComfyUI; everything else works the same", ""},
			{"undecided", Skip, "nothing has shown yet which way there is", ""},
		}}
	canaryShare = &Check{Name: "canary-share", Looks: "--canary: whether its file came to the share, on this machine's mount as well, and how long after the start", Cases: []int{3, 4, 5, 8},
		Rulings: []Ruling{
			{"came", OK, "it did: the workers and this machine see the same volume", ""},
			{"no_output_directory", Fail, "it was taken, no file came, and the worker has no --output-directory", "add --output-directory with the mounted share to the deployment's command line"},
			{"elsewhere", Fail, "the worker says that it rendered it, and no file came: it writes to another volume, such as a clone", "compare the volume ids of this mount and of the workers', and the folder of --output-directory with share.outputs"},
			{"never", Fail, "it was taken, and neither a file nor a word of it came", "see whether the worker has --output-directory on the share, then compare the volume ids of both mounts: a clone looks just like this"},
			{"unseen", Fail, "the manager saw it, and this process does not", "restart what has the stale mount; see the check share-view"},
			{"late", Warn, "it showed more than ten seconds after the run", "see the check share-cache"},
			{"stopped", Skip, "doctor was stopped, the job cancelled, or the manager went away, before a file came", "let qmtui doctor --canary come to its end"},
			{"broke", Fail, "the worker says that it broke", "see qmtui jobs show ID"},
			{"not_reached", Skip, "it was not taken", ""},
		}}
	canaryDelivered = &Check{Name: "canary-delivered", Looks: "--canary: whether its file came into the user's folder with the bytes that the manager copied", Cases: []int{6, 8, 16},
		Rulings: []Ruling{
			{"delivered", OK, "it did; the picture is taken away again where doctor may", ""},
			{"not_delivered", Fail, "it stands on the share and was not copied", "see the check users-writable, and let the manager make the folder qmtui-canary in users.outputs, or make it for the manager's user"},
			{"other_place", Fail, "the manager says that it is delivered, and it does not stand there as seen from here", "restart what has the stale mount of users.outputs, or give doctor the manager's --config"},
			{"other_bytes", Fail, "another file stands there than the manager delivered", "see qmtui db check, and whether something else writes into users.outputs"},
			{"not_reached", Skip, "there was nothing to deliver", ""},
		}}
)
