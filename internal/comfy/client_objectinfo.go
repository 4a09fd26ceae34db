package comfy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
)

// ErrNoSuchCall says that the server is older than the call.
var ErrNoSuchCall = errors.New("the server has no such call")

// noSuchCall turns the answer to a path that the server does not know into
// ErrNoSuchCall.
func noSuchCall(err error) error {
	var a *AnswerError
	if errors.As(err, &a) && (a.Status == http.StatusNotFound || a.Status == http.StatusMethodNotAllowed || a.Status == http.StatusNotImplemented) {
		return ErrNoSuchCall
	}
	return err
}

// ObjectInfo asks one replica which node classes it has, up to 64 MiB of answer.
func (c *Client) ObjectInfo(ctx context.Context) (*ObjectInfo, error) {
	body, err := c.call(ctx, http.MethodGet, "/object_info", nil, largeBody)
	if err != nil {
		return nil, fmt.Errorf("ask for object_info: %w", err)
	}
	return ParseObjectInfo(body)
}

// ObjectInfoOf asks one replica for one class; an empty list says that it lacks it.
// ErrNoSuchCall: it answers for all of them only.
func (c *Client) ObjectInfoOf(ctx context.Context, class string) (*ObjectInfo, error) {
	body, err := c.call(ctx, http.MethodGet, "/object_info/"+url.PathEscape(class), nil, largeBody)
	if err != nil {
		return nil, fmt.Errorf("ask for object_info of a class: %w", noSuchCall(err))
	}
	return ParseObjectInfo(body)
}

// NodeReplacements lists the old classes that one replica replaces when it
// lacks them (since 0.33.0; an older server gives ErrNoSuchCall).
func (c *Client) NodeReplacements(ctx context.Context) ([]string, error) {
	var all map[string]json.RawMessage
	if err := c.get(ctx, "/node_replacements", smallBody, &all); err != nil {
		return nil, fmt.Errorf("ask for node replacements: %w", noSuchCall(err))
	}
	return slices.Sorted(maps.Keys(all)), nil
}
