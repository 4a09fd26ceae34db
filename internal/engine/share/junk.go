package share

import (
	"path"
	"strings"
)

// A litter is a form of names that programs leave between people's files.
type litter struct {
	pattern string // of path.Match, in lower case; letters match in either case
	reason  string
}

// junk are files that are neither delivered nor shown as orphans. One that is
// renamed to its real name later is found under that.
var junk = []litter{
	{".ds_store", "the macOS Finder keeps the look of a folder in it"},
	{".localized", "the macOS Finder translates the name of a folder by it"},
	{"._*", "macOS keeps attributes of the file with the rest of the name in it"},
	{".apdisk", "macOS keeps facts about a network share in it"},
	{"thumbs.db", "the Windows Explorer keeps thumbnails in it"},
	{"ehthumbs.db", "Windows Media Center keeps thumbnails in it"},
	{"desktop.ini", "the Windows Explorer keeps the look of a folder in it"},
	{".directory", "KDE keeps the look of a folder in it"},
	{".nfs*", "a file that was removed while it was open on NFS"},
	{".fuse_hidden*", "a file that was removed while it was open on FUSE"},
	{".smbdelete*", "a file that was removed while it was open on SMB"},
	{".~lock.*#", "LibreOffice's lock of an open document"},
	{"~lock.*#", "the same, of a name without the dot"},
	{"*.lock", "a program's lock of the file with the rest of the name"},
	{"*.lck", "a program's lock of the file with the rest of the name"},
	{"~$*", "Microsoft Office's lock of an open document"},
	{".#*", "Emacs' lock of an open file"},
	{"#*#", "Emacs saves an open file in it"},
	{".*.sw[opx]", "vim saves an open file in it"},
	{"*~", "the state of a file before it was edited"},
	{".syncthing.*", "Syncthing writes there before it renames"},
	{"~syncthing~*", "Syncthing writes there before it renames"},
	{"*.part", "written under this name before it is renamed"},
	{"*.partial", "rclone and browsers write there before they rename"},
	{"*.filepart", "WinSCP writes there before it renames"},
	{"*.tmp", "written under this name before it is renamed"},
	{"*.temp", "written under this name before it is renamed"},
	{"*.crdownload", "Chrome writes there before it renames"},
	{"*.opdownload", "Opera writes there before it renames"},
	{"*.download", "Safari writes there before it renames"},
	{"*.aria2", "aria2 keeps the progress of a download in it"},
	{".qmtui-*", "qmtui writes there before it renames"},
}

// junkFolders are folders that are not looked into: no prefix asks for such a name.
var junkFolders = []litter{
	{"$recycle.bin", "what was removed on Windows"},
	{"#recycle", "what was removed on a Synology NAS"},
	{".recycle", "what was removed on Samba"},
	{".trash-*", "what was removed on a Linux desktop"},
	{".trashes", "what was removed on macOS"},
	{"lost+found", "what a check of the file system found"},
	{".snapshot", "earlier states of the share (NetApp)"},
	{"#snapshot", "earlier states of the share (Synology)"},
	{".zfs", "earlier states of the share (ZFS)"},
	{"@eadir", "thumbnails of a Synology NAS"},
	{".@__thumb", "thumbnails of a QNAP NAS"},
	{"system volume information", "what Windows keeps about a disk"},
	{".spotlight-v100", "the search index of macOS"},
	{".fseventsd", "the file events of macOS"},
	{".documentrevisions-v100", "earlier versions of files on macOS"},
	{".temporaryitems", "where macOS writes before it renames"},
	{".appledouble", "attributes of files of macOS"},
	{"__macosx", "attributes of files of macOS in an archive"},
	{".stfolder", "Syncthing marks a folder with it"},
	{".stversions", "earlier versions of files in Syncthing"},
	{".ipynb_checkpoints", "earlier versions of files in Jupyter"},
}

// isLitter reports whether a name has one of these forms.
func isLitter(forms []litter, name string) bool {
	name = strings.ToLower(name)
	for _, f := range forms {
		if ok, _ := path.Match(f.pattern, name); ok {
			return true
		}
	}
	return false
}
