"""Kept while others move to `domain.url_keys`."""

from ..domain.url_keys import id_of as id_of
from ..domain.url_keys import key_of as key_of
