"""An AWS on this machine, to rehearse a deployment on: moto, with what it lacks for it added.

`python -m local_aws` serves it, `local_aws.server.LocalAws` starts it from a test or a script. Each module
in `local_aws/services` says what moto lacks or gets wrong for one service, and what AWS does instead.
"""
