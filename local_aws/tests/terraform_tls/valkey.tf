resource "aws_elasticache_subnet_group" "this" {
  name        = local.name
  description = "Subnets of the cache"
  subnet_ids  = [for subnet in aws_subnet.all : subnet.id]
}

resource "aws_elasticache_user" "this" {
  user_id       = local.name
  user_name     = local.name
  engine        = "valkey"
  access_string = "on ~a:* -@all +get"

  authentication_mode {
    type = "iam"
  }
}

resource "aws_elasticache_user_group" "this" {
  user_group_id = local.name
  engine        = "valkey"
  user_ids      = [aws_elasticache_user.this.user_id]
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id       = local.name
  description                = var.changed ? "Sessions, changed" : "Sessions"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.changed ? "cache.t4g.small" : "cache.t4g.micro"
  port                       = 6379
  num_cache_clusters         = var.changed ? 3 : 2
  automatic_failover_enabled = true
  multi_az_enabled           = true
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.all["cache"].id]
  user_group_ids             = var.changed ? [aws_elasticache_user_group.this.user_group_id] : null
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = true
  kms_key_id                 = aws_kms_key.data.arn
  snapshot_retention_limit   = var.changed ? 7 : 1
  snapshot_window            = "01:00-02:00"
  maintenance_window         = "sun:03:00-sun:04:00"
  auto_minor_version_upgrade = true
  apply_immediately          = true
}

output "cache" {
  value = aws_elasticache_replication_group.this.primary_endpoint_address
}
