"""Where AppStream is reached."""

from __future__ import annotations

from local_aws.services.appstream.responses import AppStreamResponse

url_bases = [r"https?://appstream2?\.(.+)\.amazonaws\.com"]
url_paths = {"{0}/$": AppStreamResponse.dispatch}
