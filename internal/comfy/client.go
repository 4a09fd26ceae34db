package comfy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Limits on the body of an answer, in bytes. History and queue repeat whole prompts.
const (
	smallBody = 1 << 20
	largeBody = 64 << 20
)

// lookTimeout ends every call but Submit when the caller's context does not.
const lookTimeout = 30 * time.Second

// Client speaks to one base URL, behind which a balancer may send each request to
// another replica: what one call learns need not hold for the next. Its fields are not
// changed after the first call; the methods may be called from any goroutine.
type Client struct {
	// Base is the address without a path of ComfyUI's: "https://host/deployment".
	Base string
	// Key is sent as a bearer token; "" sends none. It appears in no error.
	Key string
	// KeyNow, when not nil, gives the key of each call in place of Key.
	KeyNow func() string
	// HTTP makes the calls; a Timeout in it holds for Submit as well. Nil means one
	// with time-outs for connecting and none for the answer to a prompt, which a cold
	// start can delay by a quarter of an hour. Redirects are never followed, whatever
	// it says.
	HTTP *http.Client
	// Fresh makes every call on a connection of its own, so that a balancer may
	// choose anew; it has no effect on an HTTP client given.
	Fresh bool
	// SaveNodes are the installation's own rows, by which histories are read.
	SaveNodes SaveNodes
	// Prepare, when not nil, may add headers that a platform wants to any request,
	// before it is sent.
	Prepare func(*http.Request)
}

// AnswerError is an answer other than the one a call needs. Errors without an answer
// are those of the transport, wrapped.
type AnswerError struct {
	// Status is the HTTP status.
	Status int
	// Code is endpoint_or_key, busy, refused or server_error.
	Code string
	// Message is a sentence and the next step.
	Message string
	// RetryAfter is what the server asked for, at most an hour; zero when it did not.
	RetryAfter time.Duration

	body []byte // its beginning
}

// Error is the code and the sentence. It never contains the key.
func (e *AnswerError) Error() string { return e.Code + ": " + e.Message }

// lookHTTP serves the calls that may be repeated, submitHTTP the one that may not, and
// those of a Fresh client: a connection of its own each time, because a kept one that the balancer has just
// closed leaves nobody knowing whether the prompt arrived.
var (
	lookHTTP   = &http.Client{Transport: transport(false), CheckRedirect: stay}
	submitHTTP = &http.Client{Transport: transport(true), CheckRedirect: stay}
)

func transport(fresh bool) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		IdleConnTimeout:        30 * time.Second,
		MaxIdleConnsPerHost:    8,
		MaxResponseHeaderBytes: 1 << 20,
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      fresh,
	}
}

// stay keeps the redirect as the answer: following one would send the key elsewhere,
// or a prompt twice.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (c *Client) http(fallback *http.Client) *http.Client {
	if c.HTTP == nil {
		return fallback
	}
	own := *c.HTTP
	own.CheckRedirect = stay
	return &own
}

// request builds one call; body is marshalled unless nil.
func (c *Client) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	base, err := url.Parse(c.Base)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, errors.New("the deployment's url is not an http or https address")
	}
	var in io.Reader
	if body != nil {
		in = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.Base, "/")+path, in)
	if err != nil {
		return nil, c.clean(err)
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	c.Authorize(req)
	if c.Prepare != nil {
		c.Prepare(req)
	}
	return req, nil
}

// Authorize adds the key, if there is one.
func (c *Client) Authorize(req *http.Request) {
	if key := c.key(); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
}

func (c *Client) key() string {
	if c.KeyNow != nil {
		return c.KeyNow()
	}
	return c.Key
}

// get reads the JSON at path into out.
func (c *Client) get(ctx context.Context, path string, limit int64, out any) error {
	body, err := c.call(ctx, http.MethodGet, path, nil, limit)
	if err != nil {
		return err
	}
	return json.Unmarshal(nullBareNumbers(body), out)
}

// post sends a small JSON body, to which ComfyUI answers with an empty one.
func (c *Client) post(ctx context.Context, path string, in any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	_, err = c.call(ctx, http.MethodPost, path, body, smallBody)
	return err
}

// call returns the body of a 200; any other status is an *AnswerError.
func (c *Client) call(ctx context.Context, method, path string, in []byte, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	req, err := c.request(ctx, method, path, in)
	if err != nil {
		return nil, err
	}
	own := lookHTTP
	if c.Fresh {
		own = submitHTTP
	}
	resp, err := c.http(own).Do(req)
	if err != nil {
		return nil, c.clean(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, c.answerError(resp)
	}
	return c.readBody(resp.Body, limit)
}

// readBody reads an answer up to its limit. A server that repeats the key loses it here.
func (c *Client) readBody(in io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, c.clean(err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("the answer is larger than %d bytes", limit)
	}
	return c.withoutKey(body), nil
}

func (c *Client) withoutKey(text []byte) []byte {
	key := c.key()
	if key == "" {
		return text
	}
	return bytes.ReplaceAll(text, []byte(key), []byte("[key]"))
}

// clean takes the address off an error of net/http, because it may carry a password, and
// the key, should a broken answer that the error quotes repeat it.
func (c *Client) clean(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if key := c.key(); key != "" && strings.Contains(err.Error(), key) {
		return errors.New(string(c.withoutKey([]byte(err.Error()))))
	}
	return err
}

func (c *Client) answerError(resp *http.Response) error {
	body := c.readSome(resp.Body)
	code, message, hint := explain(resp.StatusCode, body)
	if hint != "" {
		message += "; " + hint
	}
	return &AnswerError{
		Status: resp.StatusCode, Code: code, Message: message,
		RetryAfter: retryAfter(resp.Header, time.Now()), body: body,
	}
}

// readSome reads the beginning of a body for an error message; a failure shortens it.
func (c *Client) readSome(in io.Reader) []byte {
	some, _ := io.ReadAll(io.LimitReader(in, 4<<10))
	return c.withoutKey(some)
}
