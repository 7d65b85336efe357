# A group whose instances go into service once a hook has been told that their set-up succeeded.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region = "eu-west-1"
}

data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

resource "aws_vpc" "this" {
  cidr_block = "10.8.0.0/16"
}

resource "aws_subnet" "this" {
  vpc_id     = aws_vpc.this.id
  cidr_block = "10.8.0.0/24"
}

resource "aws_launch_template" "this" {
  name          = "hosts"
  image_id      = data.aws_ssm_parameter.image.insecure_value
  instance_type = "m5.large"
}

resource "aws_autoscaling_group" "this" {
  name                      = "hosts"
  min_size                  = 1
  max_size                  = 1
  vpc_zone_identifier       = [aws_subnet.this.id]
  wait_for_capacity_timeout = "20s"

  launch_template {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }

  initial_lifecycle_hook {
    name                 = "set-up"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
    default_result       = "ABANDON"
    heartbeat_timeout    = 900
  }
}
