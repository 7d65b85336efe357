resource "aws_lb" "server" {
  name                                                         = "${local.name}-server"
  internal                                                     = false
  load_balancer_type                                           = "network"
  security_groups                                              = [aws_security_group.all["nlb"].id]
  subnets                                                      = [for subnet in aws_subnet.all : subnet.id]
  enable_cross_zone_load_balancing                             = true
  enable_deletion_protection                                   = var.protected
  dns_record_client_routing_policy                             = var.changed ? "any_availability_zone" : "availability_zone_affinity"
  enforce_security_group_inbound_rules_on_private_link_traffic = var.changed ? "off" : "on"
  access_logs {
    bucket  = aws_s3_bucket.logs.id
    prefix  = "nlb"
    enabled = true
  }
  depends_on = [aws_s3_bucket_policy.logs, aws_internet_gateway.this]
}

resource "aws_lb_target_group" "server" {
  for_each               = { for port in local.groups.server : port => port }
  name                   = "${local.name}-server-${each.key}"
  port                   = each.value
  protocol               = "TCP"
  target_type            = "ip"
  vpc_id                 = aws_vpc.this.id
  deregistration_delay   = var.changed ? 60 : 30
  connection_termination = true
  preserve_client_ip     = var.changed
  health_check {
    protocol            = "TCP"
    port                = "traffic-port"
    interval            = 10
    timeout             = var.changed ? 6 : 5
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
  stickiness {
    type    = "source_ip"
    enabled = each.value != 4066
  }
}

resource "aws_lb_listener" "server" {
  for_each                 = aws_lb_target_group.server
  load_balancer_arn        = aws_lb.server.arn
  port                     = each.key
  protocol                 = "TCP"
  tcp_idle_timeout_seconds = var.changed ? 3600 : 350
  default_action {
    type             = "forward"
    target_group_arn = each.value.arn
  }
}

resource "aws_route53_record" "server" {
  zone_id = data.aws_route53_zone.this.zone_id
  name    = "server.${var.domain}"
  type    = "A"
  alias {
    name                   = aws_lb.server.dns_name
    zone_id                = aws_lb.server.zone_id
    evaluate_target_health = true
  }
}
