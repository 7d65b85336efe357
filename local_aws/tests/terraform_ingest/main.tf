# The ways in from S3: DataSync onto EFS, and an S3 File Gateway with an NFS share; applied to the local AWS it must
# plan empty afterwards, and be destroyed. Nothing here is a recommendation.

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
      Workspace   = "ingest"
    }
  }
}

# What the test changes: everything that an update may touch.
variable "changed" {
  type    = bool
  default = false
}

locals {
  name = "ingest"
}

data "aws_caller_identity" "this" {}
data "aws_region" "this" {}
data "aws_availability_zones" "all" {
  state = "available"
}

resource "aws_vpc" "this" {
  cidr_block           = "10.40.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = local.name }
}

resource "aws_subnet" "this" {
  vpc_id            = aws_vpc.this.id
  availability_zone = data.aws_availability_zones.all.names[0]
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 4, 0)
}

resource "aws_security_group" "all" {
  for_each    = toset(["storage", "datasync", "gateway"])
  name        = "${local.name}-${each.key}"
  description = "Rehearsal: ${each.key}"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_egress_rule" "nfs" {
  security_group_id            = aws_security_group.all["datasync"].id
  description                  = "To the file system"
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
  referenced_security_group_id = aws_security_group.all["storage"].id
}

resource "aws_vpc_security_group_ingress_rule" "nfs" {
  security_group_id            = aws_security_group.all["storage"].id
  description                  = "From DataSync"
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
  referenced_security_group_id = aws_security_group.all["datasync"].id
}

resource "aws_s3_bucket" "all" {
  for_each      = toset(["objects", "reports"])
  bucket        = "${local.name}-${each.key}-${data.aws_caller_identity.this.account_id}"
  force_destroy = true
}

resource "aws_iam_role" "all" {
  for_each           = toset(["datasync", "storagegateway"])
  name               = "${local.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
}

data "aws_iam_policy_document" "trust" {
  for_each = toset(["datasync", "storagegateway"])
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["${each.key}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "all" {
  for_each = aws_iam_role.all
  name     = "objects"
  role     = each.value.id
  policy   = data.aws_iam_policy_document.objects.json
}

data "aws_iam_policy_document" "objects" {
  statement {
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [for bucket in aws_s3_bucket.all : bucket.arn]
  }
  statement {
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:GetObjectTagging", "s3:ListMultipartUploadParts", "s3:PutObject"]
    resources = [for bucket in aws_s3_bucket.all : "${bucket.arn}/*"]
  }
}
