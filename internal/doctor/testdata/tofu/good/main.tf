# Four deployments as a site writes them, in the schema of verda-cloud/verda 1.1.
terraform {
  required_providers {
    verda = {
      source = "verda-cloud/verda"
    }
  }
}

variable "share_volume_id" {
  type = string
}

variable "scale_down" {
  type    = number
  default = 120
}

locals {
  mount = "/mnt/sfs"
  gpus = {
    h200-spot      = { gpu = "H200", spot = true }
    h200-on-demand = { gpu = "H200", spot = false }
    b300-spot      = { gpu = "B300", spot = true }
    b300-on-demand = { gpu = "B300", spot = false }
  }
}

resource "verda_container" "comfyui" {
  for_each = local.gpus

  name    = each.key
  is_spot = each.value.spot

  compute = {
    name = each.value.gpu
    size = 1
  }

  scaling = {
    min_replica_count               = 0
    max_replica_count               = 10
    queue_message_ttl_seconds       = 900
    concurrent_requests_per_replica = 1

    scale_down_policy = {
      delay_seconds = var.scale_down
    }

    scale_up_policy = {
      delay_seconds = 1
    }

    queue_load = {
      threshold = 1
    }
  }

  containers = [
    {
      image        = "ghcr.io/example/comfyui:1"
      exposed_port = 8188

      healthcheck = {
        enabled = "true"
        port    = "8188"
        path    = "/system_stats"
      }

      entrypoint_overrides = {
        enabled    = true
        entrypoint = ["python3", "main.py"]
        cmd        = ["--listen", "0.0.0.0", "--port", "8188", "--output-directory", "${local.mount}/outputs"]
      }

      volume_mounts = [
        {
          type       = "shared"
          mount_path = local.mount
          volume_id  = var.share_volume_id
        }
      ]
    }
  ]
}
