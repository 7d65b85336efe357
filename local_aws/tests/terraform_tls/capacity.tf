data "aws_ssm_parameter" "image" {
  name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
}

locals {
  roles = { execution = "ecs-tasks.amazonaws.com", task = "ecs-tasks.amazonaws.com", instance = "ec2.amazonaws.com" }
  managed = {
    execution = "service-role/AmazonECSTaskExecutionRolePolicy"
    instance  = "service-role/AmazonEC2ContainerServiceforEC2Role"
  }
}

resource "aws_iam_role" "all" {
  for_each = local.roles
  name     = "${local.name}-${each.key}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = each.value } }]
  })
}

resource "aws_iam_role_policy_attachment" "all" {
  for_each   = local.managed
  role       = aws_iam_role.all[each.key].name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/${each.value}"
}

resource "aws_iam_instance_profile" "this" {
  name = local.name
  role = aws_iam_role.all["instance"].name
}

resource "aws_ecs_cluster" "this" {
  name = local.name
}

resource "aws_launch_template" "this" {
  name                   = local.name
  image_id               = data.aws_ssm_parameter.image.insecure_value
  instance_type          = "m6i.large"
  update_default_version = true
  ebs_optimized          = true
  vpc_security_group_ids = [aws_security_group.all["instances"].id]
  user_data = base64encode(<<-EOT
    #!/bin/bash
    cat >> /etc/ecs/ecs.config <<'CONFIG'
    ECS_CLUSTER=${aws_ecs_cluster.this.name}
    ECS_ENABLE_SPOT_INSTANCE_DRAINING=${var.changed}
    CONFIG
  EOT
  )
  iam_instance_profile {
    arn = aws_iam_instance_profile.this.arn
  }
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }
  monitoring {
    enabled = true
  }
  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_type           = "gp3"
      volume_size           = 60
      encrypted             = true
      kms_key_id            = aws_kms_key.data.arn
      delete_on_termination = true
    }
  }
  dynamic "tag_specifications" {
    for_each = ["instance", "volume", "network-interface"]
    content {
      resource_type = tag_specifications.value
      tags          = { Name = local.name }
    }
  }
}

resource "aws_autoscaling_group" "this" {
  name                      = local.name
  min_size                  = 1
  max_size                  = 4
  vpc_zone_identifier       = [for subnet in aws_subnet.all : subnet.id]
  protect_from_scale_in     = true
  force_delete              = true
  health_check_type         = "EC2"
  health_check_grace_period = var.changed ? 90 : 60
  default_instance_warmup   = 60
  max_instance_lifetime     = 2592000
  capacity_rebalance        = true
  termination_policies      = ["OldestLaunchTemplate", "Default"]
  enabled_metrics           = ["GroupInServiceInstances", "GroupDesiredCapacity"]
  launch_template {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }
  tag {
    key                 = "AmazonECSManaged"
    value               = "true"
    propagate_at_launch = true
  }
  tag {
    key                 = "Name"
    value               = local.name
    propagate_at_launch = true
  }
  lifecycle {
    ignore_changes = [desired_capacity]
  }
  depends_on = [aws_iam_role_policy_attachment.all, aws_vpc_security_group_egress_rule.any]
}

resource "aws_ecs_capacity_provider" "this" {
  name = local.name
  auto_scaling_group_provider {
    auto_scaling_group_arn         = aws_autoscaling_group.this.arn
    managed_termination_protection = "ENABLED"
    managed_draining               = var.changed ? "DISABLED" : "ENABLED"
    managed_scaling {
      status                    = "ENABLED"
      target_capacity           = var.changed ? 90 : 100
      minimum_scaling_step_size = 1
      maximum_scaling_step_size = 2
      instance_warmup_period    = 60
    }
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = [aws_ecs_capacity_provider.this.name, "FARGATE"]
  default_capacity_provider_strategy {
    capacity_provider = aws_ecs_capacity_provider.this.name
    weight            = 1
  }
}

resource "aws_ecs_task_definition" "server" {
  family                   = "${local.name}-server"
  requires_compatibilities = ["EC2"]
  network_mode             = "awsvpc"
  cpu                      = 1024
  memory                   = 4096
  execution_role_arn       = aws_iam_role.all["execution"].arn
  task_role_arn            = aws_iam_role.all["task"].arn
  container_definitions = jsonencode([{
    name         = "server"
    image        = "example/server:${var.changed ? 2 : 1}"
    essential    = true
    portMappings = [for port in local.groups.server : { containerPort = port, hostPort = port, protocol = "tcp" }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.all["server"].name
        awslogs-region        = data.aws_region.this.name
        awslogs-stream-prefix = "server"
      }
    }
  }])
}

resource "aws_ecs_service" "server" {
  name                              = "server"
  cluster                           = aws_ecs_cluster.this.id
  task_definition                   = aws_ecs_task_definition.server.arn
  desired_count                     = 2
  availability_zone_rebalancing     = "DISABLED"
  health_check_grace_period_seconds = 60
  enable_execute_command            = true
  propagate_tags                    = "SERVICE"
  wait_for_steady_state             = true
  capacity_provider_strategy {
    capacity_provider = aws_ecs_capacity_provider.this.name
    base              = 0
    weight            = 1
  }
  network_configuration {
    subnets         = [for subnet in aws_subnet.all : subnet.id]
    security_groups = [aws_security_group.all["server"].id]
  }
  dynamic "load_balancer" {
    for_each = aws_lb_target_group.server
    content {
      target_group_arn = load_balancer.value.arn
      container_name   = "server"
      container_port   = load_balancer.key
    }
  }
  depends_on = [
    aws_lb_listener.server,
    aws_ecs_cluster_capacity_providers.this,
    aws_vpc_security_group_egress_rule.any,
    aws_vpc_security_group_ingress_rule.server,
  ]
}
