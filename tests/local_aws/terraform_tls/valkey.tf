resource "aws_elasticache_subnet_group" "this" {
  name        = local.name
  description = "Subnets of the cache"
  subnet_ids  = [for subnet in aws_subnet.all : subnet.id]
}

resource "aws_elasticache_parameter_group" "this" {
  name        = local.name
  family      = "valkey8"
  description = "The cache's parameters"
  parameter {
    name  = "maxmemory-policy"
    value = var.changed ? "allkeys-lru" : "volatile-lru"
  }
  dynamic "parameter" {
    for_each = var.changed ? [] : [300]
    content {
      name  = "timeout"
      value = parameter.value
    }
  }
}

resource "aws_elasticache_user" "this" {
  user_id       = "${local.name}-web"
  user_name     = "web"
  engine        = "valkey"
  access_string = var.changed ? "on ~web:* +@all -@dangerous" : "on ~* +@all"
  authentication_mode {
    type      = "password"
    passwords = ["a-password-of-a-rehearsal"]
  }
}

resource "aws_elasticache_user_group" "this" {
  user_group_id = local.name
  engine        = "valkey"
  user_ids      = [aws_elasticache_user.this.user_id]
}

locals {
  caches = { users = true, token = false }
}

resource "aws_elasticache_replication_group" "all" {
  for_each                   = local.caches
  replication_group_id       = "${local.name}-${each.key}"
  description                = var.changed ? "Sessions, changed" : "Sessions"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.changed ? "cache.t4g.small" : "cache.t4g.micro"
  port                       = 6379
  num_cache_clusters         = each.value && var.changed ? 3 : 2
  automatic_failover_enabled = true
  multi_az_enabled           = true
  parameter_group_name       = aws_elasticache_parameter_group.this.name
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.all["cache"].id]
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = true
  kms_key_id                 = aws_kms_key.data.arn
  auth_token                 = each.value ? null : "a-token-of-a-rehearsal-1"
  user_group_ids             = each.value ? [aws_elasticache_user_group.this.user_group_id] : null
  snapshot_retention_limit   = var.changed ? 7 : 1
  snapshot_window            = "01:00-02:00"
  maintenance_window         = "sun:03:00-sun:04:00"
  auto_minor_version_upgrade = true
  apply_immediately          = true
  final_snapshot_identifier  = "${local.name}-${each.key}-final"
  dynamic "log_delivery_configuration" {
    for_each = toset(var.changed ? ["slow-log"] : ["slow-log", "engine-log"])
    content {
      destination      = aws_cloudwatch_log_group.all["cache"].name
      destination_type = "cloudwatch-logs"
      log_format       = "json"
      log_type         = log_delivery_configuration.value
    }
  }
}

output "cache" {
  value = aws_elasticache_replication_group.all["users"].primary_endpoint_address
}
