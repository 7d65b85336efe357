"""What deploys: set-up, the state of Terraform, checks before a deployment, and the runner of cdktf and Terraform."""
