# SFTP onto EFS in a VPC, with an address of its own: applied to the local AWS it must plan empty afterwards, and be
# destroyed. Nothing here is a recommendation.

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
      Workspace   = "sftp"
    }
  }
}

variable "public_key" {
  type = string
}

variable "host_key" {
  type      = string
  sensitive = true
}

# What the test changes.
variable "changed" {
  type    = bool
  default = false
}

resource "aws_vpc" "main" {
  cidr_block = "10.20.0.0/16"
}

resource "aws_subnet" "public" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.20.1.0/24"
  availability_zone = "eu-west-1a"
}

resource "aws_security_group" "sftp" {
  name   = "sftp"
  vpc_id = aws_vpc.main.id

  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["192.0.2.0/24"]
  }
}

resource "aws_security_group" "other" {
  name   = "other"
  vpc_id = aws_vpc.main.id
}

resource "aws_eip" "sftp" {
  domain = "vpc"
}

resource "aws_efs_file_system" "main" {
  creation_token = "sftp"
  encrypted      = true
}

resource "aws_cloudwatch_log_group" "sftp" {
  name              = "/sftp/rehearsal"
  retention_in_days = 30
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["transfer.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "files" {
  statement {
    actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    resources = [aws_efs_file_system.main.arn]
  }
}

resource "aws_iam_role" "user" {
  name               = "sftp-user"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "user" {
  name   = "files"
  role   = aws_iam_role.user.name
  policy = data.aws_iam_policy_document.files.json
}

resource "aws_transfer_server" "main" {
  domain                      = "EFS"
  endpoint_type               = "VPC"
  host_key                    = var.host_key
  security_policy_name        = var.changed ? "TransferSecurityPolicy-2024-01" : "TransferSecurityPolicy-2025-03"
  structured_log_destinations = ["${aws_cloudwatch_log_group.sftp.arn}:*"]

  endpoint_details {
    vpc_id                 = aws_vpc.main.id
    subnet_ids             = [aws_subnet.public.id]
    security_group_ids     = [var.changed ? aws_security_group.other.id : aws_security_group.sftp.id]
    address_allocation_ids = var.changed ? [] : [aws_eip.sftp.id]
  }
}

resource "aws_transfer_user" "alice" {
  server_id           = aws_transfer_server.main.id
  user_name           = "alice"
  role                = aws_iam_role.user.arn
  home_directory_type = "LOGICAL"

  home_directory_mappings {
    entry  = "/"
    target = "/${aws_efs_file_system.main.id}/drop/${var.changed ? "other" : "alice"}"
  }

  posix_profile {
    uid = 1000
    gid = 1000
  }
}

resource "aws_transfer_ssh_key" "alice" {
  server_id = aws_transfer_server.main.id
  user_name = aws_transfer_user.alice.user_name
  body      = var.public_key
}

output "server" {
  value = aws_transfer_server.main.id
}

output "fingerprint" {
  value = aws_transfer_server.main.host_key_fingerprint
}
