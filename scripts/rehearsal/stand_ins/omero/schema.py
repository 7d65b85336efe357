"""The stand-in server's tables: OMERO's words where OMERO has them, and what tests inject."""

from __future__ import annotations

import hashlib

# The enumeration JobStatus of OMERO's data model (ome/omero-model, mappings/jobs.ome.xml).
STATUSES = ("Submitted", "Resubmitted", "Queued", "Requeued", "Running", "Error", "Waiting", "Finished", "Cancelled")


def hashed(password: str) -> str:
    """What is kept of a password: OMERO keeps no other, and a search for leaked secrets should find none."""
    return hashlib.sha256(f"OMERO {password}".encode()).hexdigest()


# A fileset is there as soon as its import begins, and stays if it fails. `request` is the server's own part of an
# import (engine.py). Node 0 stands for whatever answers before a server's program has run.
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS experimenter (
    id INTEGER PRIMARY KEY, omeName TEXT UNIQUE, password TEXT, admin INTEGER DEFAULT 0, lacks TEXT DEFAULT '',
    firstName TEXT DEFAULT 'First', lastName TEXT DEFAULT 'Last');
CREATE TABLE IF NOT EXISTS experimentergroup (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS member (experimenter INTEGER, egroup INTEGER, PRIMARY KEY (experimenter, egroup));
CREATE TABLE IF NOT EXISTS node (id INTEGER PRIMARY KEY, uuid TEXT, mount TEXT, up REAL, down REAL);
CREATE TABLE IF NOT EXISTS session (
    id INTEGER PRIMARY KEY, uuid TEXT UNIQUE, experimenter INTEGER, egroup INTEGER, node INTEGER, started REAL,
    closed REAL);
CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, session INTEGER);
CREATE TABLE IF NOT EXISTS project (id INTEGER PRIMARY KEY, name TEXT, description TEXT, owner INTEGER);
CREATE TABLE IF NOT EXISTS dataset (id INTEGER PRIMARY KEY, name TEXT, description TEXT, owner INTEGER);
CREATE TABLE IF NOT EXISTS screen (id INTEGER PRIMARY KEY, name TEXT, description TEXT, owner INTEGER);
CREATE TABLE IF NOT EXISTS plate (id INTEGER PRIMARY KEY, name TEXT, description TEXT, owner INTEGER);
CREATE TABLE IF NOT EXISTS projectdatasetlink (id INTEGER PRIMARY KEY, parent INTEGER, child INTEGER, owner INTEGER);
CREATE TABLE IF NOT EXISTS datasetimagelink (id INTEGER PRIMARY KEY, parent INTEGER, child INTEGER, owner INTEGER);
CREATE TABLE IF NOT EXISTS screenplatelink (id INTEGER PRIMARY KEY, parent INTEGER, child INTEGER, owner INTEGER);
CREATE TABLE IF NOT EXISTS fileset (
    id INTEGER PRIMARY KEY, templatePrefix TEXT, owner INTEGER, transfer TEXT, event INTEGER);
CREATE TABLE IF NOT EXISTS originalfile (
    id INTEGER PRIMARY KEY, name TEXT, path TEXT, size INTEGER, hash TEXT, mimetype TEXT, owner INTEGER);
CREATE TABLE IF NOT EXISTS filesetentry (
    id INTEGER PRIMARY KEY, fileset INTEGER, originalFile INTEGER, clientPath TEXT, position INTEGER);
CREATE TABLE IF NOT EXISTS jobstatus (id INTEGER PRIMARY KEY, value TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS uploadjob (id INTEGER PRIMARY KEY, status INTEGER);
CREATE TABLE IF NOT EXISTS filesetjoblink (id INTEGER PRIMARY KEY, parent INTEGER, child INTEGER);
CREATE TABLE IF NOT EXISTS joboriginalfilelink (id INTEGER PRIMARY KEY, parent INTEGER, child INTEGER);
CREATE TABLE IF NOT EXISTS images (
    id INTEGER PRIMARY KEY, name TEXT, description TEXT, fileset INTEGER, series INTEGER, owner INTEGER,
    pixels INTEGER DEFAULT 0, egroup INTEGER);
CREATE TABLE IF NOT EXISTS annotation (id INTEGER PRIMARY KEY, ns TEXT, textValue TEXT);
CREATE TABLE IF NOT EXISTS imageannotationlink (id INTEGER PRIMARY KEY, parent INTEGER, child INTEGER);
CREATE TABLE IF NOT EXISTS request (
    fileset INTEGER PRIMARY KEY, node INTEGER, state TEXT, work TEXT, message TEXT);
CREATE TABLE IF NOT EXISTS jvm (id INTEGER PRIMARY KEY, time REAL, arguments TEXT, heap TEXT);
CREATE TABLE IF NOT EXISTS fault (
    id INTEGER PRIMARY KEY, kind TEXT, match TEXT, seconds REAL, message TEXT, left INTEGER, point TEXT);
CREATE TABLE IF NOT EXISTS held (id INTEGER PRIMARY KEY, clientPath TEXT, point TEXT, released INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT);
CREATE INDEX IF NOT EXISTS entries_by_path ON filesetentry (clientPath);
CREATE INDEX IF NOT EXISTS entries_by_fileset ON filesetentry (fileset);
CREATE INDEX IF NOT EXISTS images_by_fileset ON images (fileset);
CREATE INDEX IF NOT EXISTS links_by_image ON datasetimagelink (child);
CREATE INDEX IF NOT EXISTS jobs_by_fileset ON filesetjoblink (parent);
CREATE INDEX IF NOT EXISTS files_by_job ON joboriginalfilelink (parent);
CREATE INDEX IF NOT EXISTS requests_by_state ON request (state);
CREATE VIEW IF NOT EXISTS image AS SELECT * FROM images;
INSERT OR IGNORE INTO experimenter (id, omeName, password, admin)
    VALUES (0, 'root', '{hashed("omero")}', 1), (1, 'guest', NULL, 0);
INSERT OR IGNORE INTO experimentergroup (id, name) VALUES (0, 'system'), (1, 'user'), (2, 'guest'), (3, 'default');
INSERT OR IGNORE INTO member VALUES (0, 0), (0, 1);
INSERT OR IGNORE INTO jobstatus VALUES {", ".join(str(each) for each in enumerate(STATUSES, 1))};
INSERT OR IGNORE INTO node (id, uuid, up) VALUES (0, 'none', 0);
"""
