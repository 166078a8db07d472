"""The terminal monitor of sitq: shows a store live, and acts on tasks by id."""

from sitq import __version__ as __version__
