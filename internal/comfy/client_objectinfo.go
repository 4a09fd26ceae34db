package comfy

import (
	"context"
	"fmt"
	"net/http"
)

// ObjectInfo asks one replica which node classes it has, up to 64 MiB of answer.
func (c *Client) ObjectInfo(ctx context.Context) (*ObjectInfo, error) {
	body, err := c.call(ctx, http.MethodGet, "/object_info", nil, largeBody)
	if err != nil {
		return nil, fmt.Errorf("ask for object_info: %w", err)
	}
	return ParseObjectInfo(body)
}
