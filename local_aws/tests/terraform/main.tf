# A service with its database, files and network, in one configuration: applied to the local AWS it must plan empty
# afterwards, and be destroyed. Nothing here is a recommendation.

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
      Workspace   = "rehearsal"
    }
  }
}

variable "image" {
  type    = string
  default = "example/server:1"
}

variable "protected" {
  type    = bool
  default = false
}

locals {
  name  = "rehearsal"
  zones = slice(data.aws_availability_zones.all.names, 0, 2)
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_availability_zones" "all" {
  state = "available"
}

resource "aws_kms_key" "data" {
  description             = "Data of the rehearsal"
  enable_key_rotation     = true
  rotation_period_in_days = 365
  deletion_window_in_days = 7
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "data" {
  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.data.key_id
}

data "aws_iam_policy_document" "key" {
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:root"]
    }
  }
  statement {
    sid       = "Logs"
    actions   = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["logs.${data.aws_region.this.name}.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:aws:logs:*:${data.aws_caller_identity.this.account_id}:*"]
    }
  }
}

resource "aws_cloudwatch_log_group" "all" {
  for_each          = toset(["server", "web", "exec", "flow", "postgresql"])
  name              = "/rehearsal/${each.key}"
  retention_in_days = 90
  kms_key_id        = aws_kms_key.data.arn
}

resource "aws_ssm_parameter" "settings" {
  name        = "/rehearsal/settings"
  description = "What scripts read"
  type        = "String"
  value       = jsonencode({ cluster = aws_ecs_cluster.this.name })
}

resource "aws_ssm_parameter" "secure" {
  name   = "/rehearsal/secure"
  type   = "SecureString"
  key_id = aws_kms_key.data.arn
  value  = "value"
}
