"""Who may make a call: IAM, for roles and users of this AWS.

`policies` matches statements; `principals` finds who calls and gives roles their credentials; `needs` says which
actions on which resources a call is (`needs_*`, by service); `decision` allows or refuses, and `usage` keeps what was
used. `requests` puts it in front of every request of the server.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""
