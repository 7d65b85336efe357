locals {
  roles = {
    flow       = "vpc-flow-logs.amazonaws.com"
    execution  = "ecs-tasks.amazonaws.com"
    server     = "ecs-tasks.amazonaws.com"
    backup     = "backup.amazonaws.com"
    monitoring = "monitoring.rds.amazonaws.com"
  }
  managed = {
    execution  = "service-role/AmazonECSTaskExecutionRolePolicy"
    backup     = "service-role/AWSBackupServiceRolePolicyForBackup"
    monitoring = "service-role/AmazonRDSEnhancedMonitoringRole"
  }
}

data "aws_iam_policy_document" "assume" {
  for_each = local.roles
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = [each.value]
    }
  }
}

resource "aws_iam_role" "all" {
  for_each           = local.roles
  name               = "${local.name}-${each.key}"
  description        = "Rehearsal: ${each.key}"
  assume_role_policy = data.aws_iam_policy_document.assume[each.key].json
}

resource "aws_iam_role_policy_attachment" "all" {
  for_each   = local.managed
  role       = aws_iam_role.all[each.key].name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/${each.value}"
}

data "aws_iam_policy_document" "server" {
  statement {
    actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    resources = [aws_efs_file_system.data.arn]
  }
  statement {
    actions = [
      "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "server" {
  name   = "server"
  role   = aws_iam_role.all["server"].id
  policy = data.aws_iam_policy_document.server.json
}

data "aws_iam_policy_document" "execution" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.database.arn]
  }
  statement {
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.data.arn]
  }
}

resource "aws_iam_role_policy" "execution" {
  name   = "secrets"
  role   = aws_iam_role.all["execution"].id
  policy = data.aws_iam_policy_document.execution.json
}
