variable "activation_key" {
  type    = string
  default = null
}

# Of a machine that answers on port 80, where the test may listen there.
variable "gateway_ip_address" {
  type    = string
  default = null
}

data "aws_ami" "gateway" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["amzn2-ami-hvm-*"]
  }
}

resource "aws_instance" "gateway" {
  ami                    = data.aws_ami.gateway.id
  instance_type          = "m5.xlarge"
  subnet_id              = aws_subnet.this.id
  vpc_security_group_ids = [aws_security_group.all["gateway"].id]
  tags                   = { Name = local.name }
  lifecycle {
    ignore_changes = [ami]
  }
}

resource "aws_ebs_volume" "cache" {
  availability_zone = aws_subnet.this.availability_zone
  size              = 150
  type              = "gp3"
  encrypted         = true
}

resource "aws_volume_attachment" "cache" {
  device_name = "/dev/sdb"
  instance_id = aws_instance.gateway.id
  volume_id   = aws_ebs_volume.cache.id
  # A disk of a running gateway stays busy.
  stop_instance_before_detaching = true
}

resource "aws_cloudwatch_log_group" "gateway" {
  name              = "/${local.name}/gateway"
  retention_in_days = 30
}

resource "aws_storagegateway_gateway" "this" {
  activation_key           = var.activation_key
  gateway_name             = var.changed ? "${local.name}-changed" : local.name
  gateway_timezone         = var.changed ? "GMT+1:00" : "GMT"
  gateway_type             = "FILE_S3"
  cloudwatch_log_group_arn = aws_cloudwatch_log_group.gateway.arn


  tags = { Changed = tostring(var.changed) }
  # The key is that of a machine that has its disk.
  depends_on = [aws_volume_attachment.cache]
}

resource "aws_storagegateway_gateway" "by_address" {
  count              = var.gateway_ip_address == null ? 0 : 1
  gateway_ip_address = var.gateway_ip_address
  gateway_name       = "${local.name}-by-address"
  gateway_timezone   = "GMT"
  gateway_type       = "FILE_S3"
}

data "aws_storagegateway_local_disk" "cache" {
  gateway_arn = aws_storagegateway_gateway.this.arn
  disk_node   = aws_volume_attachment.cache.device_name
}

resource "aws_storagegateway_cache" "this" {
  gateway_arn = aws_storagegateway_gateway.this.arn
  disk_id     = data.aws_storagegateway_local_disk.cache.disk_id
  # Any change to the gateway puts the data source off until apply. A new cache would be planned for its disk, which
  # the gateway refuses: it is allocated.
  lifecycle {
    ignore_changes = [disk_id]
  }
}

resource "aws_storagegateway_nfs_file_share" "this" {
  gateway_arn  = aws_storagegateway_cache.this.gateway_arn
  location_arn = aws_s3_bucket.all["objects"].arn
  role_arn     = aws_iam_role.all["storagegateway"].arn
  client_list  = var.changed ? [aws_vpc.this.cidr_block, "192.0.2.0/24"] : [aws_vpc.this.cidr_block]
  squash       = var.changed ? "AllSquash" : "RootSquash"

  nfs_file_share_defaults {
    owner_id       = 1000
    group_id       = 1000
    file_mode      = "0644"
    directory_mode = "0755"
  }

  cache_attributes {
    cache_stale_timeout_in_seconds = var.changed ? 600 : 300
  }

  tags = { Changed = tostring(var.changed) }
}

output "instance" {
  value = aws_instance.gateway.id
}
