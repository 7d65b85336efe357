# A service whose image can be changed for a bad one. `checked` is whether the service asserts that it runs what was
# asked for. Nothing here is a recommendation.

terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {}

variable "image" {
  type    = string
  default = "example/server:1"
}

variable "checked" {
  type    = bool
  default = true
}

resource "aws_vpc" "this" {
  cidr_block = "10.7.0.0/16"
}

resource "aws_subnet" "this" {
  vpc_id     = aws_vpc.this.id
  cidr_block = "10.7.0.0/24"
}

resource "aws_ecs_cluster" "this" {
  name = "rollout"
}

resource "aws_ecs_task_definition" "this" {
  family                   = "rollout"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = "256"
  memory                   = "512"
  container_definitions = jsonencode([{
    name  = "server"
    image = var.image
    healthCheck = {
      command     = ["CMD-SHELL", "true"]
      startPeriod = 300
    }
  }])
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_ecs_service" "this" {
  name                               = "server"
  cluster                            = aws_ecs_cluster.this.arn
  task_definition                    = aws_ecs_task_definition.this.arn
  launch_type                        = "FARGATE"
  desired_count                      = 1
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  health_check_grace_period_seconds  = 2700
  wait_for_steady_state              = true
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets = [aws_subnet.this.id]
  }
  lifecycle {
    postcondition {
      condition     = !var.checked || self.task_definition == aws_ecs_task_definition.this.arn
      error_message = "It runs ${self.task_definition}, not what was asked for."
    }
  }
}

output "health" {
  value = aws_ecs_service.this.health_check_grace_period_seconds
}
