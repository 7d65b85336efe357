resource "aws_efs_file_system" "this" {
  encrypted = true
  tags      = { Name = local.name }
}

resource "aws_efs_mount_target" "this" {
  file_system_id  = aws_efs_file_system.this.id
  subnet_id       = aws_subnet.this.id
  security_groups = [aws_security_group.all["storage"].id]
}

resource "aws_efs_access_point" "this" {
  file_system_id = aws_efs_file_system.this.id
  posix_user {
    uid = 1000
    gid = 1000
  }
  root_directory {
    path = "/import"
    creation_info {
      owner_uid   = 1000
      owner_gid   = 1000
      permissions = "0755"
    }
  }
}

resource "aws_cloudwatch_log_group" "datasync" {
  name              = "/${local.name}/datasync"
  retention_in_days = 30
}

resource "aws_cloudwatch_log_resource_policy" "datasync" {
  policy_name     = local.name
  policy_document = data.aws_iam_policy_document.logs.json
}

data "aws_iam_policy_document" "logs" {
  statement {
    actions   = ["logs:PutLogEvents", "logs:CreateLogStream"]
    resources = ["${aws_cloudwatch_log_group.datasync.arn}:*"]
    principals {
      type        = "Service"
      identifiers = ["datasync.amazonaws.com"]
    }
  }
}

resource "aws_datasync_location_s3" "objects" {
  s3_bucket_arn = aws_s3_bucket.all["objects"].arn
  subdirectory  = "/in"
  s3_config {
    bucket_access_role_arn = aws_iam_role.all["datasync"].arn
  }
  tags = { Changed = tostring(var.changed) }
  # DataSync tries the role's rights at once.
  depends_on = [aws_iam_role_policy.all]
}

resource "aws_datasync_location_efs" "import" {
  efs_file_system_arn   = aws_efs_mount_target.this.file_system_arn
  access_point_arn      = aws_efs_access_point.this.arn
  in_transit_encryption = "TLS1_2"
  ec2_config {
    subnet_arn          = aws_subnet.this.arn
    security_group_arns = [aws_security_group.all["datasync"].arn]
  }
}

resource "aws_datasync_task" "this" {
  name                     = local.name
  source_location_arn      = aws_datasync_location_s3.objects.arn
  destination_location_arn = aws_datasync_location_efs.import.arn
  cloudwatch_log_group_arn = "${aws_cloudwatch_log_group.datasync.arn}:*"

  options {
    uid                    = "NONE"
    gid                    = "NONE"
    object_tags            = "NONE"
    log_level              = var.changed ? "TRANSFER" : "BASIC"
    overwrite_mode         = var.changed ? "NEVER" : "ALWAYS"
    preserve_deleted_files = "PRESERVE"
    verify_mode            = "ONLY_FILES_TRANSFERRED"
  }

  schedule {
    schedule_expression = var.changed ? "cron(0 4 * * ? *)" : "rate(1 hour)"
  }

  dynamic "excludes" {
    for_each = var.changed ? ["*.tmp"] : []
    content {
      filter_type = "SIMPLE_PATTERN"
      value       = excludes.value
    }
  }

  task_report_config {
    output_type          = "STANDARD"
    report_level         = var.changed ? "SUCCESSES_AND_ERRORS" : "ERRORS_ONLY"
    s3_object_versioning = "NONE"
    s3_destination {
      bucket_access_role_arn = aws_iam_role.all["datasync"].arn
      s3_bucket_arn          = aws_s3_bucket.all["reports"].arn
      subdirectory           = "datasync/"
    }
    report_overrides {
      transferred_override = "SUCCESSES_AND_ERRORS"
    }
  }

  tags = { Changed = tostring(var.changed) }
}

# Enhanced mode, with as little as possible.
resource "aws_datasync_task" "enhanced" {
  source_location_arn      = aws_datasync_location_s3.objects.arn
  destination_location_arn = aws_datasync_location_efs.import.arn
  task_mode                = "ENHANCED"
  options {
    uid         = "NONE"
    gid         = "NONE"
    verify_mode = "ONLY_FILES_TRANSFERRED"
  }
}

output "task" {
  value = aws_datasync_task.this.arn
}

output "file_system" {
  value = aws_efs_file_system.this.id
}
