#!/bin/bash
# Stand-in: there is no database to make or upgrade.
