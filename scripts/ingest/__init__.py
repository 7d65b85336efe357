"""The ways in: SFTP, AppStream and imports. Never imports cdktf.

What they share: `opened` (a workspace that is deployed), `changes` (what a run does, and what a dry run says that it
would do) and `waiting` (until AWS has got there).
"""
