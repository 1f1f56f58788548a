"""Files on disk: written whole or not at all, read only within bounds.

Everything that must survive a kill or a full disk goes through this room, and each step that the disk sees is one call
of a function of `os`: so the fault tests can stop the program at every one of them.
"""

from lenetcli.disk.reading import (
    Unreadable,
    check_inside,
    check_regular,
    has_content,
    is_regular,
    is_there,
    may_be_there,
    md5_of,
    opened,
    read_within,
    sha256_within,
    stamp,
    unreadable,
)
from lenetcli.disk.writing import (
    is_temporary,
    link_new,
    make_way,
    put_aside,
    sync_directory,
    sync_file,
    write_atomically,
    write_file,
    write_new,
    write_once,
)

__all__ = [
    "Unreadable",
    "check_inside",
    "check_regular",
    "has_content",
    "is_regular",
    "is_temporary",
    "is_there",
    "link_new",
    "make_way",
    "may_be_there",
    "md5_of",
    "opened",
    "put_aside",
    "read_within",
    "sha256_within",
    "stamp",
    "sync_directory",
    "sync_file",
    "unreadable",
    "write_atomically",
    "write_file",
    "write_new",
    "write_once",
]
