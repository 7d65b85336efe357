"""DataSync reads buckets and mounts file systems by the roles of its locations."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.datasync import Place, place
from local_aws.testing.rights import grant, make_role, statement

__all__ = ["place"]

LIST = statement("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
READ = statement("s3:GetObject")


def test_a_location_needs_the_right_to_list(place: Place) -> None:
    grant(place.client, place.role, READ)
    with pytest.raises(ClientError, match="Ensure bucket access role has s3:GetBucketLocation permission"):
        place.source()
    grant(place.client, place.role, statement("s3:GetBucketLocation"))
    with pytest.raises(ClientError, match=r"could not perform s3:ListObjectsV2 in bucket"):
        place.source()


def test_an_object_that_may_not_be_read_fails(place: Place) -> None:
    place.put({"a.tif": b"x"})
    task = place.task()
    grant(place.client, place.role, LIST, statement("elasticfilesystem:Client*"))
    assert place.run(task)["Status"] == "ERROR"
    assert place.contents() == {}
    grant(place.client, place.role, LIST, READ)
    place.run(task)
    assert place.contents() == {"a.tif": b"x"}


def test_a_file_system_is_mounted_by_the_locations_role(place: Place) -> None:
    role = make_role(place.client, service="datasync.amazonaws.com")
    place.put({"a.tif": b"x"})
    point = place.access_point()
    task = place.task(destination=place.destination(AccessPointArn=point, FileSystemAccessRoleArn=role))
    assert "access denied by server while mounting" in str(place.run(task))
    grant(place.client, role, statement("elasticfilesystem:ClientMount"))
    assert "Read-only file system" in str(place.run(task))
    grant(place.client, role, statement("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"))
    assert place.run(task)["Status"] == "SUCCESS"
