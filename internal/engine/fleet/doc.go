// Package fleet is the deployments: it submits prompts, collects what the wire
// happens to know of them, and says how each deployment is doing.
//
// A deployment may be a load balancer that sends every request to a random
// replica, and asleep: then any request wakes a machine that costs money.
// So two rules hold everywhere here.
//
//   - Nothing is asked of a deployment on which no attempt is in flight, except
//     by [Fleet.Warm] and [Fleet.Refresh], which are a person's wish, and by
//     [Fleet.Check] of one that is awake.
//   - An answer that knows nothing ("{}") means nothing. Only what a replica
//     says of a prompt is evidence; files come by way of the share. Where every
//     answer from the first on shows that one server answers, its silence about
//     a prompt that it had accepted says that it has restarted.
//
// Each deployment is reached through a driver. The one for Verda may also ask the
// platform around the deployment, which wakes nothing: what became of a POST,
// and through the control API which replicas there are (docs/verda.md). What the loop may ask of a Fleet
// is declared by the loop itself, in package engine.
package fleet
