"""A writer process that dies at every place of the write path, and a database that dies under it: short forms."""

import pytest

from tests.crash.drills import immediate_stops, kills, lost_commit_replies
from tests.crash.table import rendered
from tests.crash.writer import JournalKind
