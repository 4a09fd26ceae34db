// Package face puts jobs into ComfyUI's own words: what a vanilla client posts,
// and the queue, history, jobs and WebSocket frames that it reads. It only
// decides; package server acts.
//
// Everything here is derived from what is known of a job. What nobody knows
// (which node a distant worker is at) is left out, never invented. Shapes are
// those of ComfyUI 0.8.0; later fields are added where pages need them.
package face
