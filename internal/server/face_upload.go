package server

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/google/uuid"

	"github.com/comfyume/qmtui/internal/job"
)

// faceUploaded is the answer of POST upload/image.
type faceUploaded struct {
	Name      string `json:"name"`
	Subfolder string `json:"subfolder"`
	Type      string `json:"type"`
}

// upload is one file that a user sends.
type upload struct {
	name, folder string
	kind         string // input or temp
	overwrite    bool
	file         multipart.File
	bytes        int64  // of the file
	data         []byte // instead of the file; nil for none
}

// size is how many bytes are stored.
func (u upload) size() int64 {
	if u.data != nil {
		return int64(len(u.data))
	}
	return u.bytes
}

// content is the bytes that are stored, from their beginning.
func (u upload) content() io.Reader {
	if u.data != nil {
		return bytes.NewReader(u.data)
	}
	return io.NewSectionReader(u.file, 0, u.bytes)
}

// faceUpload answers POST upload/image: the file stands in the user's own
// inputs folder, durable, before the answer.
func (s *Server) faceUpload(w http.ResponseWriter, r *request) error {
	return s.takeUpload(w, r, nil)
}

// formValues reads the first value of a form's field; empty for none.
type formValues func(key string) string

// takeUpload stores a form's file. change, unless it is nil, has its way with
// the bytes before.
func (s *Server) takeUpload(w http.ResponseWriter, r *request, change func(*upload, formValues) error) error {
	if s.opts.Inputs == "" {
		return &job.Error{Code: "no_inputs", Class: job.Unavailable, Message: "this site takes no uploads", Hint: "an admin sets users.inputs"}
	}
	if err := s.chargeUpload(r.charged(), 1, max(0, r.ContentLength)); err != nil {
		return err
	}
	size := r.ContentLength
	if size < 0 {
		size = maxUpload
	}
	parked, err := s.opts.Disks.Claim(DiskTemp, size)
	if err != nil {
		return fullDisk(err)
	}
	defer parked()
	u, values, err := s.readUpload(w, r)
	if r.MultipartForm != nil {
		defer func() { _ = r.MultipartForm.RemoveAll() }()
	}
	if err != nil {
		return err
	}
	defer u.file.Close()
	if r.ContentLength < 0 {
		if err := s.chargeUpload(r.charged(), 0, u.size()); err != nil {
			return err
		}
	}
	if change != nil {
		if u.data, err = io.ReadAll(u.file); err != nil {
			return err
		}
		r.closeBody() // what follows may take long, and has a bound of its own
		if err := change(&u, values); err != nil {
			return err
		}
	}
	root, err := userFolder(s.opts.Inputs, r.PathValue("user"))
	if err != nil {
		return err
	}
	defer root.Close()
	written, err := s.opts.Disks.Claim(DiskInputs, u.size())
	if err != nil {
		return fullDisk(err)
	}
	defer written()
	kept, err := s.inputs.admit(r, root, u)
	if err != nil {
		return err
	}
	name, err := u.store(root)
	if kept(err == nil); err != nil {
		return uploadError(err)
	}
	return writeJSON(w, http.StatusOK, faceUploaded{Name: name, Subfolder: u.folder, Type: u.kind})
}

// readUpload reads the form. A large file of it is on the disk meanwhile, and
// never as a whole in memory: the caller closes it.
func (s *Server) readUpload(w http.ResponseWriter, r *request) (upload, formValues, error) {
	b, err := r.receive()
	if err != nil {
		return upload{}, nil, err
	}
	r.Body = http.MaxBytesReader(w, b, maxUpload+smallBody)
	err = r.ParseMultipartForm(formMemory)
	b.rest() // all that counts has arrived
	if err != nil {
		return upload{}, nil, b.formError(err)
	}
	file, head, err := r.FormFile("image")
	if err != nil {
		return upload{}, nil, missingField("image", "send the picture as the form's file image")
	}
	values := valuesOf(r.MultipartForm)
	u, err := readUploadForm(values, head.Filename)
	if err != nil {
		file.Close()
		return u, nil, err
	}
	u.file, u.bytes = file, head.Size
	return u, values, nil
}

func valuesOf(form *multipart.Form) formValues {
	return func(key string) string {
		if all := form.Value[key]; len(all) > 0 {
			return all[0]
		}
		return ""
	}
}

// formError tells why the body was not read as a form.
func (b *body) formError(err error) error {
	if tooMuch := (*http.MaxBytesError)(nil); errors.As(err, &tooMuch) {
		return tooLarge("the upload", maxUpload)
	}
	if b.err != nil && b.err != io.EOF {
		return brokenBody("the upload", b.err)
	}
	if errors.Is(err, syscall.ENOSPC) {
		return fullTemp(err)
	}
	return &job.Error{Code: "bad_form", Class: job.Invalid, Message: "the body is not a form: " + err.Error(), Hint: "send multipart/form-data"}
}

func readUploadForm(first formValues, name string) (upload, error) {
	u := upload{name: path.Base(strings.ReplaceAll(name, `\`, "/")), folder: strings.Trim(first("subfolder"), "/"), kind: cmp.Or(first("type"), "input")}
	u.overwrite = first("overwrite") == "true" || first("overwrite") == "1"
	if u.kind != "input" && u.kind != tempFolder {
		return u, badField("type", fmt.Sprintf("%.40q is not taken", u.kind), "upload to input or temp")
	}
	return u, firstError(checkFileName(u.name), checkFolder(u.folder))
}

func checkFileName(name string) error {
	if name == "." || name == ".." || name == "/" || strings.HasPrefix(name, ".") || len(name) > 200 || strings.ContainsFunc(name, hostile) {
		return badField("image", "has a file name that is not taken", "use a plain name of at most 200 bytes that does not begin with a dot")
	}
	return nil
}

func checkFolder(folder string) error {
	if folder == "qm" || strings.HasPrefix(folder, "qm/") {
		return badField("subfolder", "qm is the manager's own", "use a plain folder such as sketches")
	}
	if folder != "" && (!fs.ValidPath(folder) || len(folder) > 400 || strings.HasPrefix(folder, ".") || strings.Contains(folder, "/.") || strings.ContainsFunc(folder, hostile)) {
		return badField("subfolder", "leads out of the inputs folder, or is not plain", "use a plain folder such as sketches")
	}
	return nil
}

func hostile(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == '\uFFFD' }

// userFolder opens the user's folder below dir, and makes it when it is not there.
func userFolder(dir, user string) (*os.Root, error) {
	base, err := os.OpenRoot(dir)
	if err != nil {
		return nil, uploadError(err)
	}
	defer base.Close()
	if err := base.Mkdir(user, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, uploadError(err)
	}
	root, err := openUser(dir, user)
	if err != nil {
		return nil, uploadError(err)
	}
	return root, nil
}

func uploadError(err error) error {
	if known := (*job.Error)(nil); errors.As(err, &known) {
		return err
	}
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) || errors.Is(err, fs.ErrExist) || strings.Contains(err.Error(), "escapes") {
		return &job.Error{Code: "folder_blocked", Class: job.Conflict, Message: "a link or a file stands where the upload needs a folder or its place", Hint: "choose another subfolder or name, or remove what stands there"}
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) { // the innermost has no path of this machine
		err = inner
	}
	return &job.Error{Code: "cannot_store_upload", Class: job.Unavailable, Transient: true, Message: "the upload could not be stored: " + err.Error(),
		Hint: "try again; an admin checks users.inputs"}
}

// maxSameName bounds the search for a free name.
const maxSameName = 1000

// place is the folder below the user's own that the file goes to; empty for that.
func (u upload) place() string {
	if u.kind == tempFolder {
		return path.Join(tempFolder, u.folder)
	}
	return u.folder
}

// store writes the file below root and returns its name. As with ComfyUI the
// same bytes under the same name are one file, and others get " (1)" and so on.
func (u upload) store(root *os.Root) (string, error) {
	folder := u.place()
	if folder != "" {
		if err := root.MkdirAll(folder, 0o755); err != nil {
			return "", err
		}
	}
	temp := path.Join(folder, ".upload-"+uuid.NewString())
	if err := write(root, temp, u.content()); err != nil {
		return "", errors.Join(err, root.Remove(temp))
	}
	defer root.Remove(temp) // gone already when it was renamed
	if u.overwrite {
		return u.name, root.Rename(temp, path.Join(folder, u.name))
	}
	for n := range maxSameName {
		name := numbered(u.name, n)
		err := root.Link(temp, path.Join(folder, name))
		if err == nil || errors.Is(err, fs.ErrExist) && u.sameAs(root, path.Join(folder, name)) {
			return name, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	return "", &job.Error{Code: "name_taken", Class: job.Conflict, Message: fmt.Sprintf("%d files are called like %s", maxSameName, u.name), Hint: "choose another name"}
}

func numbered(name string, n int) string {
	if n == 0 {
		return name
	}
	ext := path.Ext(name)
	return fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ext), n, ext)
}

// write makes a new file, durable on return.
func write(root *os.Root, name string, data io.Reader) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, data)
	return errors.Join(err, f.Sync(), f.Close())
}

// sameAs reports a regular file with the bytes of the upload.
func (u upload) sameAs(root *os.Root, name string) bool {
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() != u.size() {
		return false
	}
	f, err := root.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	ours, theirs := bufio.NewReaderSize(u.content(), 64<<10), bufio.NewReaderSize(f, 64<<10)
	for {
		a, aErr := ours.Peek(4 << 10)
		b, bErr := theirs.Peek(len(a))
		if !bytes.Equal(a, b) || aErr == nil && bErr != nil {
			return false
		}
		if aErr != nil {
			return aErr == io.EOF
		}
		_, _ = ours.Discard(len(a))
		_, _ = theirs.Discard(len(b))
	}
}
