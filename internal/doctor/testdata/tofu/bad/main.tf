# One mistake in each deployment.
variable "unset" {}

locals {
  scaling = {
    min_replica_count               = 0
    max_replica_count               = 10
    queue_message_ttl_seconds       = 900
    concurrent_requests_per_replica = 1
    scale_down_policy               = { delay_seconds = 300 }
    scale_up_policy                 = { delay_seconds = 1 }
    queue_load                      = { threshold = 1 }
  }
  mounts = [{ type = "shared", mount_path = "/mnt/sfs", volume_id = "v" }]
  health = { enabled = "true", port = "8188", path = "/system_stats" }
  good   = { enabled = true, cmd = ["python3", "main.py", "--output-directory=/mnt/sfs/outputs"] }
}

resource "verda_container" "no_output_directory" {
  name    = "no-output-directory"
  compute = { name = "H200", size = 1 }
  scaling = local.scaling
  containers = [{
    image                = "comfyui"
    exposed_port         = 8188
    healthcheck          = local.health
    entrypoint_overrides = { enabled = true, cmd = ["python3", "main.py", "--listen", "0.0.0.0"] }
    volume_mounts        = local.mounts
  }]
}

resource "verda_container" "own_disk" {
  name    = "own-disk"
  compute = { name = "H200", size = 1 }
  scaling = local.scaling
  containers = [{
    image                = "comfyui"
    exposed_port         = 8188
    healthcheck          = local.health
    entrypoint_overrides = { enabled = true, entrypoint = ["/bin/sh", "-c"], cmd = ["cd /app && exec python3 main.py --output-directory /app/output"] }
    volume_mounts        = concat(local.mounts, [{ type = "scratch", mount_path = "/app", size_in_mb = 100 }])
  }]
}

resource "verda_container" "health_404" {
  name    = "health-404"
  compute = { name = "H200", size = 1 }
  scaling = local.scaling
  containers = [{
    image                = "comfyui"
    exposed_port         = 8188
    healthcheck          = { enabled = "true", port = "8188", path = "/health" }
    entrypoint_overrides = local.good
    volume_mounts        = local.mounts
  }]
}

resource "verda_container" "several" {
  name    = "several"
  compute = { name = "H200", size = 1 }
  scaling = merge(local.scaling, { concurrent_requests_per_replica = 4 })
  containers = [{
    image                = "comfyui"
    exposed_port         = 8188
    healthcheck          = local.health
    entrypoint_overrides = local.good
    volume_mounts        = local.mounts
  }]
}

resource "verda_container" "short" {
  name    = "short"
  compute = { name = "H200", size = 1 }
  scaling = merge(local.scaling, { scale_down_policy = { delay_seconds = 30 } })
  containers = [{
    image                = "comfyui"
    exposed_port         = 8188
    healthcheck          = local.health
    entrypoint_overrides = local.good
    volume_mounts        = local.mounts
  }]
}

resource "verda_container" "unknown" {
  name    = "unknown"
  compute = { name = "H200", size = 1 }
  scaling = var.unset
  containers = [{
    image                = "comfyui"
    exposed_port         = 8188
    healthcheck          = data.http.health.body
    entrypoint_overrides = { enabled = true, cmd = ["python3", file("args.txt")] }
  }]
}
