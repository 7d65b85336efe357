# HTTPS by names in Route 53, a network load balancer, container instances and Valkey, in one configuration:
# applied to the local AWS it must plan empty afterwards, and be destroyed. Nothing here is a recommendation.

terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {
  default_tags {
    tags = {
      Application = "omero"
      Workspace   = "tls"
    }
  }
}

variable "zone_id" {
  type = string
}

variable "domain" {
  type    = string
  default = "omero.example.org"
}

# What the test changes: everything that an update may touch.
variable "changed" {
  type    = bool
  default = false
}

variable "protected" {
  type    = bool
  default = false
}

locals {
  name  = "tls"
  zones = slice(data.aws_availability_zones.all.names, 0, 2)
  groups = {
    alb       = [80, 443]
    nlb       = [4063, 4064, 4065, 4066]
    server    = [4063, 4064, 4065, 4066]
    instances = []
    cache     = [6379]
  }
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_availability_zones" "all" {
  state = "available"
}

resource "aws_vpc" "this" {
  cidr_block           = "10.30.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = local.name }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "all" {
  for_each          = { for index, zone in local.zones : zone => index }
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 4, each.value)
}

resource "aws_security_group" "all" {
  for_each    = local.groups
  name        = "${local.name}-${each.key}"
  description = "Rehearsal: ${each.key}"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "all" {
  for_each          = merge([for group, ports in local.groups : { for port in ports : "${group}-${port}" => { group = group, port = port } }]...)
  security_group_id = aws_security_group.all[each.value.group].id
  description       = "Into ${each.value.group}"
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = "203.0.113.0/24"
}

resource "aws_vpc_security_group_egress_rule" "any" {
  for_each          = toset(["instances", "nlb"])
  security_group_id = aws_security_group.all[each.key].id
  description       = "Anywhere"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "server" {
  for_each                     = toset([for port in local.groups.server : tostring(port)])
  security_group_id            = aws_security_group.all["server"].id
  description                  = "From the balancer"
  ip_protocol                  = "tcp"
  from_port                    = tonumber(each.key)
  to_port                      = tonumber(each.key)
  referenced_security_group_id = aws_security_group.all["nlb"].id
}

resource "aws_kms_key" "data" {
  description             = "Data of the rehearsal"
  enable_key_rotation     = true
  deletion_window_in_days = 7
}

resource "aws_cloudwatch_log_group" "all" {
  for_each          = toset(["server", "cache"])
  name              = "/tls/${each.key}"
  retention_in_days = 30
}

resource "aws_s3_bucket" "logs" {
  bucket        = "${local.name}-logs-${data.aws_caller_identity.this.account_id}"
  force_destroy = true
}

data "aws_elb_service_account" "this" {}

data "aws_iam_policy_document" "logs" {
  statement {
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.logs.arn}/*"]
    principals {
      type        = "AWS"
      identifiers = [data.aws_elb_service_account.this.arn]
    }
  }
  statement {
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.logs.arn}/*"]
    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com"]
    }
  }
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.logs.id
  policy = data.aws_iam_policy_document.logs.json
}
