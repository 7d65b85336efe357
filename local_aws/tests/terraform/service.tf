resource "aws_ecs_cluster" "this" {
  name = local.name
  setting {
    name  = "containerInsights"
    value = "enhanced"
  }
  configuration {
    execute_command_configuration {
      kms_key_id = aws_kms_key.data.arn
      logging    = "OVERRIDE"
      log_configuration {
        cloud_watch_log_group_name     = aws_cloudwatch_log_group.all["exec"].name
        cloud_watch_encryption_enabled = true
      }
    }
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    weight            = 1
    base              = 1
  }
}

resource "aws_service_discovery_private_dns_namespace" "this" {
  name        = "rehearsal.internal"
  description = "Names of the rehearsal's services"
  vpc         = aws_vpc.this.id
}

resource "aws_service_discovery_service" "server" {
  name        = "server"
  description = "The server"
  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.this.id
    routing_policy = "MULTIVALUE"
    dns_records {
      type = "A"
      ttl  = 10
    }
  }
  health_check_custom_config {
    failure_threshold = 1
  }
}

locals {
  containers = {
    server = { port = 4064, secret = true }
    web    = { port = 4080, secret = false }
  }
}

resource "aws_ecs_task_definition" "all" {
  for_each                 = local.containers
  family                   = "${local.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 1024
  memory                   = 4096
  execution_role_arn       = aws_iam_role.all["execution"].arn
  task_role_arn            = aws_iam_role.all["server"].arn
  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }
  ephemeral_storage {
    size_in_gib = 30
  }
  volume {
    name = "data"
    efs_volume_configuration {
      file_system_id     = aws_efs_file_system.data.id
      transit_encryption = "ENABLED"
      authorization_config {
        access_point_id = aws_efs_access_point.data.id
        iam             = "ENABLED"
      }
    }
  }
  volume {
    name = "scratch"
  }
  container_definitions = jsonencode([
    {
      name      = "prepare"
      image     = "example/prepare:1"
      essential = false
      command   = ["true"]
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.all[each.key].name
          awslogs-region        = data.aws_region.this.name
          awslogs-stream-prefix = "prepare"
        }
      }
    },
    {
      name                   = each.key
      image                  = var.image
      essential              = true
      readonlyRootFilesystem = true
      user                   = "1000:1000"
      portMappings           = [{ name = each.key, containerPort = each.value.port, hostPort = each.value.port, protocol = "tcp" }]
      environment            = [{ name = "ROLE", value = each.key }, { name = "DBHOST", value = aws_db_instance.this.address }]
      secrets                = each.value.secret ? [{ name = "DBPASS", valueFrom = "${aws_secretsmanager_secret.database.arn}:password::" }] : []
      mountPoints            = [{ sourceVolume = "data", containerPath = "/OMERO", readOnly = false }, { sourceVolume = "scratch", containerPath = "/tmp", readOnly = false }]
      dependsOn              = [{ containerName = "prepare", condition = "SUCCESS" }]
      linuxParameters        = { initProcessEnabled = true }
      ulimits                = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]
      stopTimeout            = 120
      healthCheck            = { command = ["CMD-SHELL", "true"], interval = 30, timeout = 5, retries = 3, startPeriod = 60 }
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.all[each.key].name
          awslogs-region        = data.aws_region.this.name
          awslogs-stream-prefix = each.key
        }
      }
    },
  ])
  depends_on = [aws_efs_mount_target.data, aws_secretsmanager_secret_version.database]
}

resource "aws_ecs_service" "server" {
  name                               = "server"
  cluster                            = aws_ecs_cluster.this.id
  task_definition                    = aws_ecs_task_definition.all["server"].arn
  desired_count                      = 1
  launch_type                        = "FARGATE"
  platform_version                   = "1.4.0"
  availability_zone_rebalancing      = "DISABLED"
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  enable_execute_command             = true
  propagate_tags                     = "SERVICE"
  enable_ecs_managed_tags            = true
  wait_for_steady_state              = true
  network_configuration {
    subnets          = [for subnet in aws_subnet.private : subnet.id]
    security_groups  = [aws_security_group.all["server"].id]
    assign_public_ip = false
  }
  service_registries {
    registry_arn = aws_service_discovery_service.server.arn
  }
  deployment_circuit_breaker {
    enable   = true
    rollback = false
  }
  depends_on = [
    aws_vpc_security_group_egress_rule.any,
    aws_vpc_security_group_egress_rule.https,
    aws_vpc_security_group_egress_rule.peer,
    aws_vpc_security_group_ingress_rule.all,
  ]
}

resource "aws_ecs_service" "web" {
  name                              = "web"
  cluster                           = aws_ecs_cluster.this.id
  task_definition                   = aws_ecs_task_definition.all["web"].arn
  desired_count                     = 2
  availability_zone_rebalancing     = "ENABLED"
  health_check_grace_period_seconds = 120
  enable_execute_command            = true
  propagate_tags                    = "TASK_DEFINITION"
  wait_for_steady_state             = true
  capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = 1
  }
  capacity_provider_strategy {
    capacity_provider = "FARGATE_SPOT"
    weight            = 3
  }
  network_configuration {
    subnets         = [for subnet in aws_subnet.private : subnet.id]
    security_groups = [aws_security_group.all["web"].id]
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.web.arn
    container_name   = "web"
    container_port   = 4080
  }
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  lifecycle {
    ignore_changes = [desired_count]
  }
  depends_on = [
    aws_lb_listener.forward,
    aws_ecs_cluster_capacity_providers.this,
    aws_vpc_security_group_egress_rule.any,
    aws_vpc_security_group_egress_rule.https,
    aws_vpc_security_group_egress_rule.peer,
    aws_vpc_security_group_ingress_rule.all,
  ]
}

resource "aws_lb" "this" {
  name                       = local.name
  internal                   = false
  load_balancer_type         = "application"
  security_groups            = [aws_security_group.all["alb"].id]
  subnets                    = [for subnet in aws_subnet.public : subnet.id]
  idle_timeout               = 300
  drop_invalid_header_fields = true
  enable_deletion_protection = var.protected
  desync_mitigation_mode     = "strictest"
  access_logs {
    bucket  = aws_s3_bucket.logs.id
    prefix  = "alb"
    enabled = true
  }
  depends_on = [aws_s3_bucket_policy.logs]
}

resource "aws_lb_target_group" "web" {
  name                 = "${local.name}-web"
  port                 = 4080
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = aws_vpc.this.id
  deregistration_delay = 30
  health_check {
    path                = "/webclient/login/"
    matcher             = "200-302"
    interval            = 30
    timeout             = 10
    healthy_threshold   = 2
    unhealthy_threshold = 5
  }
  stickiness {
    type            = "lb_cookie"
    cookie_duration = 86400
    enabled         = true
  }
}

resource "aws_lb_listener" "forward" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}

resource "aws_lb_listener" "redirect" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb" "internal" {
  name               = "${local.name}-internal"
  internal           = true
  load_balancer_type = "application"
  security_groups    = [aws_security_group.all["alb"].id]
  subnets            = [for subnet in aws_subnet.private : subnet.id]
}

resource "aws_appautoscaling_target" "web" {
  service_namespace  = "ecs"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.web.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = 2
  max_capacity       = 4
}

resource "aws_appautoscaling_policy" "web" {
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.web.service_namespace
  resource_id        = aws_appautoscaling_target.web.resource_id
  scalable_dimension = aws_appautoscaling_target.web.scalable_dimension
  target_tracking_scaling_policy_configuration {
    target_value       = 60
    scale_in_cooldown  = 300
    scale_out_cooldown = 60
    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

output "cluster" {
  value = aws_ecs_cluster.this.name
}
